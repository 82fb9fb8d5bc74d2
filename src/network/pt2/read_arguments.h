#pragma once
// The arguments of a node, as the schema of its operator orders them.

#include <ATen/core/function_schema.h>

#include <map>
#include <string>
#include <vector>

#include "inn/network/argument.h"
#include "json.h"

namespace inn::pt2 {

/// What the names of a graph stand for. Names of a subgraph may stand for constants of the graph around it.
class Scope {
 public:
  /// Throws std::runtime_error where the name is taken.
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
