// Normalizations.

#include "operators.h"

namespace inn::onnx::reading {
namespace {

constexpr double kEpsilon = 1e-5;  // ONNX's default of all of them

Tensors batch_norm(NodeView& node) {
  node.require_that(node.attribute("training_mode", 0) == 0, "training mode is not supported");
  node.ignore({"momentum"});
  const auto x = node.tensor(0);
  return {at::batch_norm(x, node.tensor(1), node.tensor(2), node.tensor(3), node.tensor(4),
                         /*training=*/false, 1 - node.real("momentum", 0.9), node.real("epsilon", kEpsilon),
                         /*cudnn_enabled=*/true)};
}

/// Statistics in float32, as torch computes them for types of 16 bits too.
void require_float_statistics(const NodeView& node) {
  node.require_that(node.attribute("stash_type", 1) == 1,
                    "statistics of another type than float32 are not supported");
}

/// The sizes from an axis on, over which a layer norm normalizes.
std::vector<int64_t> normalized_sizes(NodeView& node, const at::Tensor& x) {
  const auto axis = axis_of(node, node.attribute("axis", -1), x.dim());
  return x.sizes().slice(static_cast<size_t>(axis)).vec();
}

/// A weight of these sizes; ONNX broadcasts it.
at::Tensor of_sizes(NodeView& node, size_t input, const std::vector<int64_t>& sizes) {
  if (!node.has(input)) return {};
  const auto tensor = node.tensor(input);
  if (tensor.sizes() == at::IntArrayRef(sizes)) return tensor;
  return at::expand_copy(tensor, sizes);
}

Tensors layer_norm(NodeView& node) {
  require_float_statistics(node);
  const auto x = node.tensor(0);
  const auto sizes = normalized_sizes(node, x);
  return {at::layer_norm(x, sizes, of_sizes(node, 1, sizes), of_sizes(node, 2, sizes),
                         node.real("epsilon", kEpsilon))};
}

Tensors rms_norm(NodeView& node) {
  require_float_statistics(node);
  const auto x = node.tensor(0);
  const auto sizes = normalized_sizes(node, x);
  return {at::rms_norm(x, sizes, of_sizes(node, 1, sizes), node.real("epsilon", kEpsilon))};
}

/// Before opset 21, scale and bias are of groups, not of channels.
Tensors group_norm(NodeView& node) {
  require_float_statistics(node);
  const auto x = node.tensor(0);
  const auto groups = node.attribute("num_groups", 0);
  node.require_that(x.dim() >= 2 && groups >= 1 && x.size(1) % groups == 0,
                    "num_groups must divide the channels");
  const auto channels = x.size(1);
  const auto of_channels = [&](size_t input) {
    const auto* known = node.constant(input);
    if (known == nullptr || known->numel() == channels) return node.tensor(input);
    node.require_that(known->numel() == groups, "a scale neither of channels nor of groups");
    return node.derived(input, ".channels", [&](const at::Tensor& tensor) {
      return at::repeat_interleave(tensor, channels / groups);
    });
  };
  return {at::group_norm(x, groups, of_channels(1), of_channels(2), node.real("epsilon", kEpsilon))};
}

/// Over channels, as AlexNet has it.
Tensors local_response_norm(NodeView& node) {
  const auto x = node.tensor(0);
  const auto size = node.attribute("size", 0);
  node.require_that(size >= 1 && x.dim() == 4, "it needs a positive size and an input of four axes");
  const auto squares =
      at::constant_pad_nd(at::unsqueeze(at::mul(x, x), 1), {0, 0, 0, 0, (size - 1) / 2, size / 2});
  const auto mean = at::squeeze(at::avg_pool3d(squares, {size, 1, 1}, {1, 1, 1}), 1);
  const auto scale = at::add(at::mul(mean, node.real("alpha", 1e-4)), node.real("bias", 1));
  return {at::div(x, at::pow(scale, node.real("beta", 0.75)))};
}

}  // namespace

void add_normalizations(Operators& operators) {
  operators["BatchNormalization"] = batch_norm;
  operators["LayerNormalization"] = layer_norm;
  operators["RMSNormalization"] = rms_norm;
  operators["GroupNormalization"] = group_norm;
  operators["LRN"] = local_response_norm;
  operators["InstanceNormalization"] = [](NodeView& node) -> Tensors {
    return {at::instance_norm(node.tensor(0), node.tensor(1), node.tensor(2), {}, {},
                              /*use_input_stats=*/true, 0.1, node.real("epsilon", kEpsilon),
                              /*cudnn_enabled=*/true)};
  };
  operators["LpNormalization"] = [](NodeView& node) -> Tensors {
    const auto x = node.tensor(0);
    const auto axis = axis_of(node, node.attribute("axis", -1), x.dim());
    // Zeros stay zeros.
    const auto norm = at::norm(x, at::Scalar(node.attribute("p", 2)), {axis}, true);
    return {at::div(x, at::clamp_min(norm, std::numeric_limits<float>::min()))};
  };
  operators["Dropout"] = [](NodeView& node) -> Tensors {
    node.ignore({"ratio", "seed"});
    node.ignore_input(1);
    node.require_that(!node.has(2) || node.number(2) == 0, "training mode is not supported");
    return {node.tensor(0)};
  };
}

}  // namespace inn::onnx::reading
