// Normalizations.

#include <ATen/ATen.h>

#include "../rules.h"

namespace inn::onnx {
namespace {

/// A vector of the channels, or one of ones or zeros where it is missing.
Name vector_or(Emitter& e, const CallView& call, const std::string& name, double value, int64_t size) {
  if (call.has(name)) return call.tensor(name);
  return e.constant(at::full({size}, value, at::TensorOptions(call.result().dtype)));
}

std::vector<Name> batch_norm(Emitter& e, const CallView& call) {
  const int64_t channels = call.value("input").sizes.at(1);
  if (!call.has("running_mean") || !call.has("running_var")) call.refuse("it has no running statistics");
  if (call.has("training") && call.flag("training")) call.refuse("it is in training mode");
  return {e.add(
      "BatchNormalization",
      {call.tensor("input"), vector_or(e, call, "weight", 1, channels),
       vector_or(e, call, "bias", 0, channels), call.tensor("running_mean"), call.tensor("running_var")},
      {{"epsilon", call.number("eps")}})};
}

std::vector<Name> layer_norm(Emitter& e, const CallView& call) {
  const auto shape = call.integers("normalized_shape");
  const Name weight = call.has("weight")
                          ? call.tensor("weight")
                          : e.constant(at::ones(shape, at::TensorOptions(call.result().dtype)));
  return {e.add("LayerNormalization", {call.tensor("input"), weight, call.tensor("bias")},
                {{"axis", -static_cast<int64_t>(shape.size())}, {"epsilon", call.number("eps")}})};
}

/// By its definition: ONNX has a node for it from opset 23 on only.
std::vector<Name> rms_norm(Emitter& e, const CallView& call) {
  const auto axes = static_cast<int64_t>(call.integers("normalized_shape").size());
  const auto type = call.result().dtype;
  const Name x = call.tensor("input");
  std::vector<int64_t> last;
  for (int64_t axis = -axes; axis < 0; ++axis) last.push_back(axis);
  const double epsilon = call.has("eps")       ? call.number("eps")
                         : type == at::kDouble ? 2.220446049250313e-16
                                               : 1.1920928955078125e-07;
  const Name mean = e.add("ReduceMean", {e.add("Mul", {x, x}), e.integers(last)});
  const Name scale = e.add("Sqrt", {e.add("Add", {mean, e.scalar(epsilon, type)})});
  const Name result = e.add("Div", {x, scale});
  return {call.has("weight") ? e.add("Mul", {result, call.tensor("weight")}) : result};
}

/// Groups of channels as instances; weight and bias behind it, as vectors over the channels.
std::vector<Name> group_norm(Emitter& e, const CallView& call) {
  const auto& value = call.value("input");
  const int64_t groups = call.integer("num_groups"), channels = value.sizes.at(1);
  const auto type = call.result().dtype;
  const Name x = call.tensor("input");
  const Name grouped = e.add("Reshape", {x, e.integers({0, groups, -1})});
  const Name normalized = e.add("InstanceNormalization",
                                {grouped, e.constant(at::ones({groups}, at::TensorOptions(type))),
                                 e.constant(at::zeros({groups}, at::TensorOptions(type)))},
                                {{"epsilon", call.number("eps")}});
  Name result = e.add("Reshape", {normalized, e.add("Shape", {x})});
  std::vector<int64_t> shape(value.sizes.size() - 1, 1);
  shape[0] = channels;
  const auto along = [&](const std::string& name) {
    return e.add("Reshape", {call.tensor(name), e.integers(shape)});
  };
  if (call.has("weight")) result = e.add("Mul", {result, along("weight")});
  if (call.has("bias")) result = e.add("Add", {result, along("bias")});
  return {result};
}

/// g · v / ‖v‖ over all axes but one.
std::vector<Name> weight_norm(Emitter& e, const CallView& call) {
  std::vector<int64_t> axes;
  for (int64_t axis = 0; axis < call.rank("v"); ++axis)
    if (axis != call.axis("dim", "v")) axes.push_back(axis);
  const Name v = call.tensor("v");
  const Name norm = e.add("ReduceL2", {v, e.integers(axes)});
  return {e.add("Mul", {v, e.add("Div", {call.tensor("g"), norm})})};
}

std::vector<Name> instance_norm(Emitter& e, const CallView& call) {
  const int64_t channels = call.value("input").sizes.at(1);
  // Running statistics are those of channels, as in batch norm.
  if (!call.flag("use_input_stats")) return batch_norm(e, call);
  return {e.add("InstanceNormalization",
                {call.tensor("input"), vector_or(e, call, "weight", 1, channels),
                 vector_or(e, call, "bias", 0, channels)},
                {{"epsilon", call.number("eps")}})};
}

}  // namespace

void add_normalizations(Rules& rules) {
  rules["aten::batch_norm"] = rules["aten::_native_batch_norm_legit_no_training"] = batch_norm;
  rules["aten::layer_norm"] = layer_norm;
  rules["aten::rms_norm"] = rms_norm;
  rules["aten::instance_norm"] = instance_norm;
  rules["aten::_weight_norm"] = weight_norm;
  rules["aten::group_norm"] = group_norm;
}

}  // namespace inn::onnx
