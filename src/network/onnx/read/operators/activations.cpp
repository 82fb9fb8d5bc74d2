// Activation functions.

#include "operators.h"

namespace inn::onnx::reading {
namespace {

/// Before opset 13, over all axes from `axis` on as one.
Operator softmax(at::Tensor (*compute)(const at::Tensor&, int64_t)) {
  return [compute](NodeView& node) -> Tensors {
    const auto x = node.tensor(0);
    const bool is_flat = node.opset() < 13;
    const auto axis = axis_of(node, node.attribute("axis", is_flat ? 1 : -1), x.dim());
    if (!is_flat || axis == x.dim() - 1) return {compute(x, axis)};
    return {at::reshape(compute(at::flatten(x, axis), axis), x.sizes())};
  };
}

Tensors hard_sigmoid(NodeView& node) {
  const auto x = node.tensor(0);
  const auto slope = node.real("alpha", 0.2), offset = node.real("beta", 0.5);
  if (std::abs(slope - 1.0 / 6) < 1e-6 && offset == 0.5) return {at::hardsigmoid(x)};
  return {at::clamp(at::add(at::mul(x, at::Scalar(slope)), at::Scalar(offset)), 0, 1)};
}

/// torch's slopes have one axis, that of the channels.
Tensors prelu(NodeView& node) {
  const auto x = node.tensor(0);
  const auto* slope = node.constant(1);
  const bool is_of_channels =
      slope != nullptr && x.dim() >= 2 &&
      (slope->numel() == 1 || (slope->dim() == x.dim() - 1 && slope->numel() == slope->size(0)));
  if (is_of_channels)
    return {at::prelu(x, slope->dim() == 1
                             ? node.tensor(1)
                             : node.derived(1, ".flat", [](const at::Tensor& s) { return s.flatten(); }))};
  return {at::where(at::lt(x, 0), at::mul(x, node.tensor(1)), x)};
}

}  // namespace

void add_activations(Operators& operators) {
  operators["Relu"] = [](NodeView& node) -> Tensors { return {at::relu(node.tensor(0))}; };
  operators["Sigmoid"] = [](NodeView& node) -> Tensors { return {at::sigmoid(node.tensor(0))}; };
  operators["HardSwish"] = [](NodeView& node) -> Tensors { return {at::hardswish(node.tensor(0))}; };
  operators["Mish"] = [](NodeView& node) -> Tensors { return {at::mish(node.tensor(0))}; };
  operators["Swish"] = [](NodeView& node) -> Tensors {
    const auto x = node.tensor(0);
    const double alpha = node.real("alpha", 1);
    return {alpha == 1 ? at::silu(x) : at::mul(x, at::sigmoid(at::mul(x, alpha)))};
  };
  operators["Softsign"] = [](NodeView& node) -> Tensors {
    const auto x = node.tensor(0);
    return {at::div(x, at::add(at::abs(x), 1))};
  };
  operators["Softplus"] = [](NodeView& node) -> Tensors { return {at::softplus(node.tensor(0))}; };
  operators["Gelu"] = [](NodeView& node) -> Tensors {
    return {at::gelu(node.tensor(0), node.text("approximate", "none"))};
  };
  operators["Elu"] = [](NodeView& node) -> Tensors {
    return {at::elu(node.tensor(0), node.real("alpha", 1))};
  };
  operators["Celu"] = [](NodeView& node) -> Tensors {
    return {at::celu(node.tensor(0), node.real("alpha", 1))};
  };
  operators["Selu"] = [](NodeView& node) -> Tensors {
    constexpr double kAlpha = 1.67326319217681884765625,
                     kGamma = 1.05070102214813232421875;  // ONNX's and torch's
    node.require_that(std::abs(node.real("alpha", kAlpha) - kAlpha) < 1e-6 &&
                          std::abs(node.real("gamma", kGamma) - kGamma) < 1e-6,
                      "alpha and gamma must be those of the paper");
    return {at::selu(node.tensor(0))};
  };
  operators["LeakyRelu"] = [](NodeView& node) -> Tensors {
    return {at::leaky_relu(node.tensor(0), node.real("alpha", 0.01))};
  };
  operators["ThresholdedRelu"] = [](NodeView& node) -> Tensors {
    return {at::threshold(node.tensor(0), node.real("alpha", 1), 0)};
  };
  operators["PRelu"] = prelu;
  operators["HardSigmoid"] = hard_sigmoid;
  operators["Softmax"] = softmax([](const at::Tensor& x, int64_t axis) { return at::softmax(x, axis); });
  operators["LogSoftmax"] =
      softmax([](const at::Tensor& x, int64_t axis) { return at::log_softmax(x, axis); });
}

}  // namespace inn::onnx::reading
