// Numbers element by element, comparisons and logic.

#include "operators.h"

namespace inn::onnx::reading {
namespace {

using Unary = at::Tensor (*)(const at::Tensor&);

std::pair<at::Tensor, at::Tensor> operands(NodeView& node) {
  return {node.operand(0, node.rank(1)), node.operand(1, node.rank(0))};
}

Operator binary(at::Tensor (*compute)(const at::Tensor&, const at::Tensor&)) {
  return [compute](NodeView& node) -> Tensors { return {compute(node.tensor(0), node.tensor(1))}; };
}

/// A comparison; torch's with numbers are operators of their own.
Operator comparison(at::Tensor (*compute)(const at::Tensor&, const at::Tensor&),
                    at::Tensor (*with_number)(const at::Tensor&, const at::Scalar&)) {
  return [compute, with_number](NodeView& node) -> Tensors {
    if (const auto number = node.scalar(1, node.rank(0))) return {with_number(node.tensor(0), *number)};
    return {compute(node.tensor(0), node.tensor(1))};
  };
}

/// Of any number of inputs, from the first on.
Operator variadic(at::Tensor (*compute)(const at::Tensor&, const at::Tensor&)) {
  return [compute](NodeView& node) -> Tensors {
    node.require_that(node.input_count() > 0, "it has no input");
    at::Tensor result = node.tensor(0);
    for (size_t i = 1; i < node.input_count(); ++i) result = compute(result, node.tensor(i));
    return {result};
  };
}

Tensors divide(NodeView& node) {
  const auto [a, b] = operands(node);
  const bool is_integer = c10::isIntegralType(node.tensor(0).scalar_type(), false);
  return {is_integer ? at::div(a, b, "trunc") : at::div(a, b)};
}

Tensors clip(NodeView& node) {
  const auto limit = [&](size_t input) -> std::optional<at::Scalar> {
    if (!node.has(input)) return std::nullopt;
    return node.number(input);
  };
  if ((node.has(1) && node.constant(1) == nullptr) || (node.has(2) && node.constant(2) == nullptr)) {
    const auto x = node.tensor(0);
    return {at::clamp(x, node.has(1) ? std::optional(node.tensor(1)) : std::nullopt,
                      node.has(2) ? std::optional(node.tensor(2)) : std::nullopt)};
  }
  auto low = limit(1), high = limit(2);
  const auto x = node.tensor(0);
  if (!low && !high) return {x};
  if (c10::isIntegralType(x.scalar_type(), false)) {
    if (low) low = low->to<int64_t>();
    if (high) high = high->to<int64_t>();
  }
  return {at::clamp(x, low, high)};
}

/// Of the type of its base.
Tensors power(NodeView& node) {
  const auto of_base = [&](const at::Tensor& result, c10::ScalarType type) {
    return result.scalar_type() == type ? result : result.to(type);
  };
  if (const auto exponent = node.scalar(1, node.rank(0))) {
    const auto base = node.tensor(0);
    return {of_base(at::pow(base, *exponent), base.scalar_type())};
  }
  if (const auto base = node.scalar(0, node.rank(1))) {
    const auto type = node.constant(0)->scalar_type();
    return {of_base(at::pow(*base, node.tensor(1)), type)};
  }
  const auto base = node.tensor(0);
  return {of_base(at::pow(base, node.tensor(1)), base.scalar_type())};
}

}  // namespace

void add_arithmetic(Operators& operators) {
  const std::pair<const char*, Unary> unary[] = {
      {"Abs", at::abs},     {"Acos", at::acos},       {"Acosh", at::acosh},
      {"Asin", at::asin},   {"Asinh", at::asinh},     {"Atan", at::atan},
      {"Atanh", at::atanh}, {"Ceil", at::ceil},       {"Cos", at::cos},
      {"Cosh", at::cosh},   {"Erf", at::erf},         {"Exp", at::exp},
      {"Floor", at::floor}, {"IsNaN", at::isnan},     {"Log", at::log},
      {"Neg", at::neg},     {"Not", at::logical_not}, {"Reciprocal", at::reciprocal},
      {"Round", at::round}, {"Sign", at::sign},       {"Sin", at::sin},
      {"Sinh", at::sinh},   {"Sqrt", at::sqrt},       {"Tan", at::tan},
      {"Tanh", at::tanh}};
  for (const auto& [name, compute] : unary)
    operators[name] = [compute = compute](NodeView& node) -> Tensors { return {compute(node.tensor(0))}; };

  operators["Add"] = [](NodeView& node) -> Tensors {
    const auto [a, b] = operands(node);
    return {at::add(a, b)};
  };
  operators["Sub"] = [](NodeView& node) -> Tensors {
    const auto [a, b] = operands(node);
    return {at::sub(a, b)};
  };
  operators["Mul"] = [](NodeView& node) -> Tensors {
    const auto [a, b] = operands(node);
    return {at::mul(a, b)};
  };
  operators["Div"] = divide;
  operators["Pow"] = power;
  operators["Mod"] = [](NodeView& node) -> Tensors {
    const auto a = node.tensor(0);
    const bool is_remainder_of_c = node.attribute("fmod", 0) != 0;
    if (const auto number = node.scalar(1, node.rank(0)))
      return {is_remainder_of_c ? at::fmod(a, *number) : at::remainder(a, *number)};
    return {is_remainder_of_c ? at::fmod(a, node.tensor(1)) : at::remainder(a, node.tensor(1))};
  };
  operators["Max"] = variadic(at::maximum);
  operators["Min"] = variadic(at::minimum);
  operators["Sum"] = variadic([](const at::Tensor& a, const at::Tensor& b) { return at::add(a, b); });
  operators["Mean"] = [sum = operators["Sum"]](NodeView& node) -> Tensors {
    return {at::div(sum(node)[0], static_cast<double>(node.input_count()))};
  };
  operators["Clip"] = clip;

  operators["Equal"] = comparison(at::eq, at::eq);
  operators["Greater"] = comparison(at::gt, at::gt);
  operators["GreaterOrEqual"] = comparison(at::ge, at::ge);
  operators["Less"] = comparison(at::lt, at::lt);
  operators["LessOrEqual"] = comparison(at::le, at::le);
  operators["And"] = binary(at::logical_and);
  operators["Or"] = binary(at::logical_or);
  operators["Xor"] = binary(at::logical_xor);
  operators["BitwiseAnd"] = binary(at::bitwise_and);
  operators["BitwiseOr"] = binary(at::bitwise_or);
  operators["BitwiseXor"] = binary(at::bitwise_xor);
  operators["BitwiseNot"] = [](NodeView& node) -> Tensors { return {at::bitwise_not(node.tensor(0))}; };
  operators["IsInf"] = [](NodeView& node) -> Tensors {
    node.require_that(node.attribute("detect_negative", 1) == 1 && node.attribute("detect_positive", 1) == 1,
                      "infinities of one sign are not supported");
    return {at::isinf(node.tensor(0))};
  };
  operators["Where"] = [](NodeView& node) -> Tensors {
    return {at::where(node.tensor(0), node.tensor(1), node.tensor(2))};
  };
}

}  // namespace inn::onnx::reading
