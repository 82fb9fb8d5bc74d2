#pragma once
// Arguments of calls as JSON.

#include <ATen/core/function_schema.h>

#include <functional>

#include "inn/network/network.h"
#include "json.h"

namespace inn::pt2 {

/// What an argument is written with: the names of the values, and a name or number for a size.
struct ArgumentContext {
  const Network& network;
  const std::vector<std::string>& names;                        // of the values
  std::function<Json(const SizeExpression&)> symbolic_of_size;  // {"as_name": …} or {"as_int": …}
};

/// Returns the tagged JSON of an argument at a place of the given type (null where there is no schema).
Json write_argument(const Argument& argument, const c10::TypePtr& type, const ArgumentContext& context);

/// Returns the list of named arguments of a call. Those that equal the schema's trailing defaults are left
/// out.
Json write_arguments(const Call& call, const c10::FunctionSchema& schema, const ArgumentContext& context);

/// Returns {"as_tensor": {"name": …}}, {"as_sym_int": {"as_name": …}} and so on, by the kind of the value.
Json write_value(ValueId value, const ArgumentContext& context);

}  // namespace inn::pt2
