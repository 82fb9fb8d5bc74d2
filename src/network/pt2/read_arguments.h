#pragma once
// The arguments of a node, in the order of its operator's schema.

#include <ATen/core/function_schema.h>

#include <map>
#include <string>
#include <vector>

#include "inn/network/argument.h"
#include "json.h"

namespace inn::pt2 {

/// The scope of names of a graph. Names of a subgraph may refer to constants of the enclosing graph.
class Scope {
 public:
  /// Throws std::runtime_error if the name is already in use.
  void define(const std::string& name, Argument meaning);
  /// Throws std::runtime_error where the name is not defined before its use.
  const Argument& find(const std::string& name) const;

 private:
  std::map<std::string, Argument> meanings_;
};

/// Returns the argument that a tagged JSON value is, for a place of the given type (null where there is no
/// schema). A list of constants alone becomes one constant of the type.
Argument read_argument(const Json& value, const c10::TypePtr& type, const Scope& scope);

/// Returns arguments for all places of the schema, defaults filled in.
std::vector<Argument> read_arguments(const Json& inputs, const c10::FunctionSchema& schema,
                                     const Scope& scope);

}  // namespace inn::pt2
