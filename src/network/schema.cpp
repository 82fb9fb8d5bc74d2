#include "schema.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/jit/runtime/operator.h>

#include "grouped_mm.h"
#include "inn/core/checked_integer.h"
#include "inn/core/error.h"
#include "inn/network/network.h"
#include "pt2/number_operators.h"

namespace inn {
namespace {

bool is_number_operator(const std::string& op, const std::string& overload) {
  const auto& table = pt2::number_operators();
  return std::any_of(table.begin(), table.end(), [&](const pt2::NumberOperator& known) {
    return op == known.op && overload == known.overload;
  });
}

/// Throws if the result on integers is undefined: torch does not check it, or crashes.
void check_integers(const std::string& op, const std::vector<c10::IValue>& arguments) {
  if (!std::all_of(arguments.begin(), arguments.end(),
                   [](const c10::IValue& number) { return number.isInt(); }))
    return;
  if (op == "aten::neg") checked_subtract(0, arguments.at(0).toInt());
  if (arguments.size() != 2) return;
  const auto a = arguments[0].toInt(), b = arguments[1].toInt();
  if (op == "aten::add") checked_add(a, b);
  if (op == "aten::sub") checked_subtract(a, b);
  if (op == "aten::mul") checked_multiply(a, b);
  if (op == "aten::floordiv" || op == "aten::remainder" || op == "aten::div") {
    require<std::out_of_range>(b != 0, "network", "{} is divided by zero.", a);
    if (b == -1) checked_subtract(0, a);
  }
  if (op == "aten::__lshift__" || op == "aten::__rshift__")
    require<std::out_of_range>(b >= 0 && b < 64, "network", "{} is shifted by {} bits.", a, b);
}

}  // namespace

Operation find_operation(const std::string& op, const std::string& overload) {
  const c10::OperatorName name(op, overload);
  if (const auto handle = c10::Dispatcher::singleton().findSchema(name)) {
    if (op == "aten::_grouped_mm")
      return {&handle->schema(),
              [handle = *handle](std::vector<c10::IValue>& stack) { run_grouped_mm(handle, stack); }};
    return {&handle->schema(),
            [handle = *handle](std::vector<c10::IValue>& stack) { handle.callBoxed(stack); }};
  }
  // TorchScript's registry also has operators that do more than compute: `aten::save` writes a file.
  if (const auto found = is_number_operator(op, overload) ? torch::jit::findOperatorFor(name) : nullptr) {
    return {&found->schema(), [op, run = found->getOperation()](std::vector<c10::IValue>& stack) mutable {
              check_integers(op, stack);
              run(stack);
            }};
  }
  raise("network", "Operator '{}{}{}': this libtorch has no such operator on tensors or sizes.", op,
        overload.empty() ? "" : ".", overload);
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
