#include <ATen/ATen.h>

#include "inn/core/error.h"
#include "inn/model/integral_layers.h"

namespace inn {
namespace {

/// The tensor [channels] at the present width; an undefined one stays so.
at::Tensor at_width(const at::Tensor& tensor, const IntegralAxis& channels) {
  return tensor.defined() ? sample_axes(tensor, {channels.factors(MemberRole::produce)}) : tensor;
}

}  // namespace

IntegralBatchNormImpl::IntegralBatchNormImpl(IntegralBatchNormOptions options)
    : torch::nn::Module("IntegralBatchNorm"), options_(std::move(options)) {
  const int64_t width = options_.channels.source_width();
  if (options_.affine) {
    weight = register_parameter("weight", at::ones({width}));
    bias = register_parameter("bias", at::zeros({width}));
  }
  running_mean = register_buffer("running_mean", at::zeros({width}));
  running_var = register_buffer("running_var", at::ones({width}));
}

at::Tensor IntegralBatchNormImpl::forward(const at::Tensor& input) {
  const auto gain = at_width(weight, options_.channels), shift = at_width(bias, options_.channels);
  auto mean = at_width(running_mean, options_.channels), variance = at_width(running_var, options_.channels);
  if (!variance.is_same(running_var)) variance = variance.clamp(running_var.min(), running_var.max());
  if (mean.requires_grad() && !is_training()) {
    // Torch's own is not differentiable in the statistics, which here are functions of a grid that learns.
    std::vector<int64_t> sizes(static_cast<size_t>(input.dim()), 1);
    sizes[1] = mean.size(0);
    auto scale = (variance + options_.eps).rsqrt();
    if (gain.defined()) scale = scale * gain;
    const auto normalized = (input - mean.view(sizes)) * scale.view(sizes);
    return shift.defined() ? normalized + shift.view(sizes) : normalized;
  }
  for (auto* statistic : {&mean, &variance})
    if (statistic->requires_grad()) *statistic = statistic->detach();
  return at::batch_norm(input, gain, shift, mean, variance, is_training(), options_.momentum, options_.eps,
                        /*cudnn_enabled=*/true);
}

IntegralLayerNormImpl::IntegralLayerNormImpl(IntegralLayerNormOptions options)
    : torch::nn::Module("IntegralLayerNorm"), options_(std::move(options)) {
  if (!options_.affine) return;
  weight = register_parameter("weight", at::ones({options_.channels.source_width()}));
  bias = register_parameter("bias", at::zeros({options_.channels.source_width()}));
}

at::Tensor IntegralLayerNormImpl::forward(const at::Tensor& input) {
  return at::layer_norm(input, {options_.channels.width()}, at_width(weight, options_.channels),
                        at_width(bias, options_.channels), options_.eps);
}

IntegralGroupNormImpl::IntegralGroupNormImpl(IntegralGroupNormOptions options)
    : torch::nn::Module("IntegralGroupNorm"), options_(std::move(options)) {
  require(options_.channels.after(options_.groups).has_value(), "model",
          "IntegralGroupNorm: the first factor of the channel axis must be the axis of the groups, e.g. "
          "groups * 8.");
  if (!options_.affine) return;
  weight = register_parameter("weight", at::ones({options_.channels.source_width()}));
  bias = register_parameter("bias", at::zeros({options_.channels.source_width()}));
}

at::Tensor IntegralGroupNormImpl::forward(const at::Tensor& input) {
  return at::group_norm(input, options_.groups.width(), at_width(weight, options_.channels),
                        at_width(bias, options_.channels), options_.eps);
}

}  // namespace inn
