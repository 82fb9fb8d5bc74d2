#pragma once
// Operators: schemas and calls.

#include <ATen/core/function_schema.h>
#include <ATen/core/ivalue.h>

#include <functional>
#include <string>
#include <vector>

namespace inn {

/// A resolved operator: its schema and a function that replaces the arguments on a stack by the results.
struct Operation {
  const c10::FunctionSchema* schema;
  std::function<void(std::vector<c10::IValue>&)> run;
};

/// Returns the operator from torch's dispatcher, or of those on numbers from TorchScript's registry. Throws
/// std::invalid_argument by name.
Operation find_operation(const std::string& op, const std::string& overload);

/// Returns T for T? and T itself for any other type.
c10::TypePtr without_optional(const c10::TypePtr& type);
bool is_optional(const c10::TypePtr& type);

}  // namespace inn
