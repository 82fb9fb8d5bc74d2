#include <ATen/ATen.h>
#include <torch/nn/modules/linear.h>

#include "inn/model/integral_layers.h"

namespace inn {

IntegralLinearImpl::IntegralLinearImpl(IntegralLinearOptions options)
    : torch::nn::Module("IntegralLinear"), options_(std::move(options)) {
  const torch::nn::Linear plain(
      torch::nn::LinearOptions(options_.in.source_width(), options_.out.source_width()).bias(options_.bias));
  weight = register_parameter("weight", plain->weight);
  if (options_.bias) bias = register_parameter("bias", plain->bias);
}

at::Tensor IntegralLinearImpl::forward(const at::Tensor& input) {
  const auto produced = options_.out.factors(MemberRole::produce);
  return at::linear(input, sample_axes(weight, {produced, options_.in.factors(MemberRole::consume)}),
                    bias.defined() ? sample_axes(bias, {produced}) : bias);
}

}  // namespace inn
