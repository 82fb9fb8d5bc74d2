// Sums, products, comparisons and elementary functions.

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

Rule function(const std::string& op) {
  return [op](Emitter& e, const CallView& call) -> std::vector<Name> {
    return {e.add(op, {cast(e, call.tensor("self"), call.type("self"), call.result().dtype)})};
  };
}

std::vector<Name> divided(Emitter& e, const CallView& call) {
  const auto type = call.result().dtype;
  const auto [a, b] = operands(e, call, type);
  const Name quotient = e.add("Div", {a, b});
  if (!call.has("rounding_mode")) return {quotient};
  if (call.text("rounding_mode") != "floor" || !c10::isFloatingType(type)) call.refuse("its rounding mode");
  return {e.add("Floor", {quotient})};
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
  rules["aten::maximum"] = combined("Max");
  rules["aten::minimum"] = combined("Min");
  rules["aten::pow"] = power;
  rules["aten::rsub"] = [](Emitter& e, const CallView& call) -> std::vector<Name> {
    const auto type = call.result().dtype;
    const auto [a, b] = operands(e, call, type);
    return {e.add("Sub", {b, scaled(e, call, a, type)})};
  };
  rules["aten::eq"] = compared("Equal");
  rules["aten::ne"] = compared("Equal", true);
  rules["aten::lt"] = compared("Less");
  rules["aten::le"] = compared("LessOrEqual");
  rules["aten::gt"] = compared("Greater");
  rules["aten::ge"] = compared("GreaterOrEqual");
  for (const auto& [aten, op] :
       std::initializer_list<std::pair<const char*, const char*>>{{"abs", "Abs"},
                                                                  {"neg", "Neg"},
                                                                  {"exp", "Exp"},
                                                                  {"log", "Log"},
                                                                  {"sqrt", "Sqrt"},
                                                                  {"sin", "Sin"},
                                                                  {"cos", "Cos"},
                                                                  {"tanh", "Tanh"},
                                                                  {"floor", "Floor"},
                                                                  {"ceil", "Ceil"},
                                                                  {"round", "Round"},
                                                                  {"erf", "Erf"},
                                                                  {"sign", "Sign"},
                                                                  {"reciprocal", "Reciprocal"},
                                                                  {"logical_not", "Not"},
                                                                  {"atan", "Atan"},
                                                                  {"sigmoid", "Sigmoid"}})
    rules[std::string("aten::") + aten] = function(op);
  rules["aten::rsqrt"] = [](Emitter& e, const CallView& call) -> std::vector<Name> {
    return {e.add("Reciprocal", {e.add("Sqrt", {call.tensor("self")})})};
  };
  rules["aten::square"] = [](Emitter& e, const CallView& call) -> std::vector<Name> {
    return {e.add("Mul", {call.tensor("self"), call.tensor("self")})};
  };
  rules["aten::clamp"] = rules["aten::clamp_min"] = rules["aten::clamp_max"] = clamped;
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
