// Sums, products, comparisons and elementary functions.

#include <ATen/ATen.h>

#include <algorithm>

#include "../rules.h"

namespace inn::onnx {
namespace {

c10::ScalarType type_of(const CallView& call, const std::string& name, c10::ScalarType otherwise) {
  return call.argument(name).is_value() ? call.type(name) : otherwise;
}

/// Both operands in the type in which they are combined: that of the result, or of a comparison what torch promotes
/// them to.
std::pair<Name, Name> operands(Emitter& e, const CallView& call, c10::ScalarType type,
                               const std::string& second = "other") {
  const Name a = call.tensor("self", type), b = call.tensor(second, type);
  return {cast(e, a, type_of(call, "self", type), type), cast(e, b, type_of(call, second, type), type)};
}

c10::ScalarType promoted(const CallView& call) {
  const auto self = call.type("self");
  const auto other = type_of(call, "other", self);
  const bool scalar_is_real = !call.argument("other").is_value() && call.scalar("other").isFloatingPoint();
  if (scalar_is_real && !c10::isFloatingType(self)) return c10::kFloat;
  return c10::promoteTypes(self, other);
}

Name scaled(Emitter& e, const CallView& call, const Name& name, c10::ScalarType type) {
  if (!call.has("alpha") || call.number("alpha") == 1) return name;
  return e.add("Mul", {name, e.scalar(call.scalar("alpha"), type)});
}

Rule combined(const std::string& op) {
  return [op](Emitter& e, const CallView& call) -> std::vector<Name> {
    const auto [a, b] = operands(e, call, call.result().dtype);
    return {e.add(op, {a, scaled(e, call, b, call.result().dtype)})};
  };
}

Rule compared(const std::string& op, bool inverted = false) {
  return [=](Emitter& e, const CallView& call) -> std::vector<Name> {
    const auto [a, b] = operands(e, call, promoted(call));
    const Name result = e.add(op, {a, b});
    return {inverted ? e.add("Not", {result}) : result};
  };
}

/// Truth values have logic's operators.
Rule bitwise(const std::string& op) {
  return [op](Emitter& e, const CallView& call) -> std::vector<Name> {
    const auto type = call.result().dtype;
    const auto [a, b] = operands(e, call, type);
    return {e.add(type == at::kBool ? op : "Bitwise" + op, {a, b})};
  };
}

Rule predicate(const std::string& op) {
  return [op](Emitter& e, const CallView& call) -> std::vector<Name> {
    return {e.add(op, {call.tensor("self")})};
  };
}

Rule function(const std::string& op) {
  return [op](Emitter& e, const CallView& call) -> std::vector<Name> {
    return {e.add(op, {cast(e, call.tensor("self"), call.type("self"), call.result().dtype)})};
  };
}

/// Of truth values; other numbers are true where they are not 0.
Rule logical(const std::string& op) {
  return [op](Emitter& e, const CallView& call) -> std::vector<Name> {
    const auto truth = [&](const std::string& name) {
      return cast(e, call.tensor(name), call.type(name), at::kBool);
    };
    return {e.add(op, {truth("self"), truth("other")})};
  };
}

/// Integers rounded towards zero, as C's and ONNX's are, lack one where the signs differ.
Name floor_divided(Emitter& e, const Name& a, const Name& b) {
  const Name remainder = e.add("Mod", {a, b});  // of the sign of b
  return e.add("Div", {e.add("Sub", {a, remainder}), b});
}

std::vector<Name> remainder(Emitter& e, const CallView& call) {
  const auto type = call.result().dtype;
  const auto [a, b] = operands(e, call, type);
  if (!c10::isFloatingType(type)) return {e.add("Mod", {a, b})};
  return {e.add("Sub", {a, e.add("Mul", {b, e.add("Floor", {e.add("Div", {a, b})})})})};
}

std::vector<Name> divided(Emitter& e, const CallView& call) {
  const auto type = call.result().dtype;
  const auto [a, b] = operands(e, call, type);
  const bool is_real = c10::isFloatingType(type);
  const auto rounding = call.has("rounding_mode") ? call.text("rounding_mode") : "";
  if (rounding == "floor" && !is_real) return {floor_divided(e, a, b)};
  const Name quotient = e.add("Div", {a, b});
  if (rounding.empty() || !is_real) return {quotient};  // integers are rounded towards zero
  if (rounding == "floor") return {e.add("Floor", {quotient})};
  return {e.add("Mul", {e.add("Sign", {quotient}), e.add("Floor", {e.add("Abs", {quotient})})})};
}

std::vector<Name> floor_quotient(Emitter& e, const CallView& call) {
  const auto type = call.result().dtype;
  const auto [a, b] = operands(e, call, type);
  if (!c10::isFloatingType(type)) return {floor_divided(e, a, b)};
  return {e.add("Floor", {e.add("Div", {a, b})})};
}

std::vector<Name> power(Emitter& e, const CallView& call) {
  const auto type = call.result().dtype;
  const auto [a, b] = operands(e, call, type, "exponent");
  return {e.add("Pow", {a, b})};
}

/// By Max and Min where the bounds are tensors: Clip takes numbers only.
std::vector<Name> clamped(Emitter& e, const CallView& call) {
  const auto type = call.result().dtype;
  Name x = cast(e, call.tensor("self"), call.type("self"), type);
  for (const auto& [bound, op] : {std::pair("min", "Max"), {"max", "Min"}})
    if (call.has(bound)) x = e.add(op, {x, call.tensor(bound, type)});
  return {x};
}

}  // namespace

void add_arithmetic(Rules& rules) {
  rules["aten::add"] = combined("Add");
  rules["aten::sub"] = combined("Sub");
  rules["aten::mul"] = combined("Mul");
  rules["aten::div"] = divided;
  rules["aten::floor_divide"] = floor_quotient;
  rules["aten::maximum"] = combined("Max");
  rules["aten::minimum"] = combined("Min");
  rules["aten::pow"] = power;
  rules["aten::rsub"] = [](Emitter& e, const CallView& call) -> std::vector<Name> {
    const auto type = call.result().dtype;
    const auto [a, b] = operands(e, call, type);
    return {e.add("Sub", {b, scaled(e, call, a, type)})};
  };
  rules["aten::remainder"] = remainder;
  rules["aten::fmod"] = [](Emitter& e, const CallView& call) -> std::vector<Name> {
    const auto [a, b] = operands(e, call, call.result().dtype);
    return {e.add("Mod", {a, b}, {{"fmod", int64_t{1}}})};
  };
  rules["aten::logical_and"] = logical("And");
  rules["aten::logical_or"] = logical("Or");
  rules["aten::logical_xor"] = logical("Xor");
  rules["aten::bitwise_and"] = bitwise("And");
  rules["aten::bitwise_or"] = bitwise("Or");
  rules["aten::bitwise_xor"] = bitwise("Xor");
  rules["aten::bitwise_not"] = [](Emitter& e, const CallView& call) -> std::vector<Name> {
    return {e.add(call.type("self") == at::kBool ? "Not" : "BitwiseNot", {call.tensor("self")})};
  };
  rules["aten::isnan"] = predicate("IsNaN");
  rules["aten::isinf"] = predicate("IsInf");
  rules["aten::eq"] = compared("Equal");
  rules["aten::ne"] = compared("Equal", true);
  rules["aten::lt"] = compared("Less");
  rules["aten::le"] = compared("LessOrEqual");
  rules["aten::gt"] = compared("Greater");
  rules["aten::ge"] = compared("GreaterOrEqual");
  for (const auto& [aten, op] : std::initializer_list<std::pair<const char*, const char*>>{
           {"abs", "Abs"},         {"neg", "Neg"},
           {"exp", "Exp"},         {"log", "Log"},
           {"sqrt", "Sqrt"},       {"sin", "Sin"},
           {"cos", "Cos"},         {"tanh", "Tanh"},
           {"floor", "Floor"},     {"ceil", "Ceil"},
           {"round", "Round"},     {"erf", "Erf"},
           {"sign", "Sign"},       {"reciprocal", "Reciprocal"},
           {"logical_not", "Not"}, {"acos", "Acos"},
           {"acosh", "Acosh"},     {"asin", "Asin"},
           {"asinh", "Asinh"},     {"atan", "Atan"},
           {"atanh", "Atanh"},     {"cosh", "Cosh"},
           {"sinh", "Sinh"},       {"tan", "Tan"},
           {"sigmoid", "Sigmoid"}})
    rules[std::string("aten::") + aten] = function(op);
  rules["aten::rsqrt"] = [](Emitter& e, const CallView& call) -> std::vector<Name> {
    return {e.add("Reciprocal", {e.add("Sqrt", {call.tensor("self")})})};
  };
  rules["aten::square"] = [](Emitter& e, const CallView& call) -> std::vector<Name> {
    return {e.add("Mul", {call.tensor("self"), call.tensor("self")})};
  };
  rules["aten::clamp"] = rules["aten::clamp_min"] = rules["aten::clamp_max"] = clamped;
  rules["aten::where.ScalarOther"] = rules["aten::where.ScalarSelf"] =
      rules["aten::where.self"] = [](Emitter& e, const CallView& call) -> std::vector<Name> {
    const auto [a, b] = operands(e, call, call.result().dtype);
    return {e.add("Where", {call.tensor("condition"), a, b})};
  };
  rules["aten::masked_fill"] = [](Emitter& e, const CallView& call) -> std::vector<Name> {
    const auto type = call.result().dtype;
    return {e.add("Where", {call.tensor("mask"), call.tensor("value", type), call.tensor("self")})};
  };
}

}  // namespace inn::onnx
