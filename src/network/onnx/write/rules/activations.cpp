// Activation functions, softmax, dropout in evaluation mode.

#include "../rules.h"

namespace inn::onnx {
namespace {

Rule single(const std::string& op) {
  return [op](Emitter& e, const CallView& call) -> std::vector<Name> {
    return {e.add(op, {call.tensor("self")})};
  };
}

std::vector<Name> unchanged(Emitter&, const CallView& call) {
  return {call.tensor(call.has("self") ? "self" : "input")};
}

std::vector<Name> gelu(Emitter& e, const CallView& call) {
  const auto approximation = call.text("approximate");
  if (e.opset() >= 20) return {e.add("Gelu", {call.tensor("self")}, {{"approximate", approximation}})};
  if (approximation != "none") call.refuse("its approximation needs opset 20");
  const auto type = call.result().dtype;
  const Name x = call.tensor("self");
  const Name inner = e.add("Erf", {e.add("Mul", {x, e.scalar(0.70710678118654752, type)})});
  const Name half = e.add("Mul", {x, e.scalar(0.5, type)});
  return {e.add("Mul", {half, e.add("Add", {inner, e.scalar(1, type)})})};
}

std::vector<Name> softmax(Emitter& e, const CallView& call, const std::string& op) {
  const Name x = cast(e, call.tensor("self"), call.type("self"), call.result().dtype);
  return {e.add(op, {x}, {{"axis", call.axis("dim", "self")}})};
}

/// torch's slopes have one axis, that of the channels; ONNX broadcasts from the last one.
std::vector<Name> prelu(Emitter& e, const CallView& call) {
  const auto rank = call.rank("self");
  Name slope = call.tensor("weight");
  if (rank > 2 && call.value("weight").sizes.at(0) > 1) {
    std::vector<int64_t> shape(static_cast<size_t>(rank) - 1, 1);
    shape[0] = -1;
    slope = e.add("Reshape", {slope, e.integers(shape)});
  }
  return {e.add("PRelu", {call.tensor("self"), slope})};
}

std::vector<Name> dropout(Emitter&, const CallView& call) {
  if (call.flag("train")) call.refuse("it is in training mode");
  return {call.tensor(call.has("input") ? "input" : "self")};
}

}  // namespace

void add_activations(Rules& rules) {
  rules["aten::relu"] = single("Relu");
  rules["aten::softplus"] = [](Emitter& e, const CallView& call) -> std::vector<Name> {
    if (call.number("beta") != 1) call.refuse("its beta");
    return {e.add("Softplus", {call.tensor("self")})};
  };
  rules["aten::mish"] = single("Mish");
  rules["aten::hardswish"] = single("HardSwish");
  rules["aten::hardsigmoid"] = [](Emitter& e, const CallView& call) -> std::vector<Name> {
    // torch's slope, which is not ONNX's default.
    return {e.add("HardSigmoid", {call.tensor("self")}, {{"alpha", 1.0 / 6}, {"beta", 0.5}})};
  };
  rules["aten::hardtanh"] = [](Emitter& e, const CallView& call) -> std::vector<Name> {
    const auto type = call.result().dtype;
    return {e.add("Clip", {call.tensor("self"), e.scalar(call.scalar("min_val"), type),
                           e.scalar(call.scalar("max_val"), type)})};
  };
  rules["aten::relu6"] = [](Emitter& e, const CallView& call) -> std::vector<Name> {
    const auto type = call.result().dtype;
    return {e.add("Clip", {call.tensor("self"), e.scalar(0, type), e.scalar(6, type)})};
  };
  rules["aten::leaky_relu"] = [](Emitter& e, const CallView& call) -> std::vector<Name> {
    return {e.add("LeakyRelu", {call.tensor("self")}, {{"alpha", call.number("negative_slope")}})};
  };
  rules["aten::elu"] = [](Emitter& e, const CallView& call) -> std::vector<Name> {
    if (call.number("scale") != 1 || call.number("input_scale") != 1) call.refuse("its scales");
    return {e.add("Elu", {call.tensor("self")}, {{"alpha", call.number("alpha")}})};
  };
  rules["aten::celu"] = [](Emitter& e, const CallView& call) -> std::vector<Name> {
    return {e.add("Celu", {call.tensor("self")}, {{"alpha", call.number("alpha")}})};
  };
  rules["aten::selu"] = single("Selu");
  rules["aten::threshold"] = [](Emitter& e, const CallView& call) -> std::vector<Name> {
    const auto type = call.result().dtype;
    const Name x = call.tensor("self");
    const Name is_above = e.add("Greater", {x, e.scalar(call.scalar("threshold"), type)});
    return {e.add("Where", {is_above, x, e.scalar(call.scalar("value"), type)})};
  };
  rules["aten::prelu"] = prelu;
  rules["aten::silu"] = [](Emitter& e, const CallView& call) -> std::vector<Name> {
    const Name x = call.tensor("self");
    return {e.add("Mul", {x, e.add("Sigmoid", {x})})};
  };
  rules["aten::gelu"] = gelu;
  rules["aten::softmax"] =
      rules["aten::_softmax"] = [](Emitter& e, const CallView& call) { return softmax(e, call, "Softmax"); };
  rules["aten::log_softmax"] = rules["aten::_log_softmax"] = [](Emitter& e, const CallView& call) {
    return softmax(e, call, "LogSoftmax");
  };
  rules["aten::dropout"] = rules["aten::feature_dropout"] = dropout;
  for (const char* name : {"clone", "contiguous", "detach", "alias", "lift_fresh", "lift_fresh_copy"})
    rules[std::string("aten::") + name] = unchanged;
  for (const char* name : {"to", "_to_copy", "float", "type_as"})
    rules[std::string("aten::") + name] = [](Emitter& e, const CallView& call) -> std::vector<Name> {
      return {cast(e, call.tensor("self"), call.type("self"), call.result().dtype)};
    };
}

}  // namespace inn::onnx
