#include "schema.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/jit/runtime/operator.h>

#include "grouped_mm.h"
#include "inn/core/error.h"
#include "inn/network/network.h"

namespace inn {

Operation find_operation(const std::string& op, const std::string& overload) {
  const c10::OperatorName name(op, overload);
  if (const auto handle = c10::Dispatcher::singleton().findSchema(name)) {
    if (op == "aten::_grouped_mm")
      return {&handle->schema(),
              [handle = *handle](std::vector<c10::IValue>& stack) { run_grouped_mm(handle, stack); }};
    return {&handle->schema(),
            [handle = *handle](std::vector<c10::IValue>& stack) { handle.callBoxed(stack); }};
  }
  const bool qualified = op.find("::") != std::string::npos;
  if (const auto found = qualified ? torch::jit::findOperatorFor(name) : nullptr) {
    return {&found->schema(),
            [run = found->getOperation()](std::vector<c10::IValue>& stack) mutable { run(stack); }};
  }
  raise("network", "Operator '{}{}{}': this libtorch has no such operator.", op, overload.empty() ? "" : ".",
        overload);
}

const c10::FunctionSchema& find_schema(const std::string& op, const std::string& overload) {
  return *find_operation(op, overload).schema;
}

c10::TypePtr without_optional(const c10::TypePtr& type) {
  const auto optional = type->cast<c10::OptionalType>();
  return optional ? optional->getElementType() : type;
}

bool is_optional(const c10::TypePtr& type) { return type->kind() == c10::TypeKind::OptionalType; }

}  // namespace inn
