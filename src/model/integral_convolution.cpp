#include "inn/model/integral_convolution.h"

#include <ATen/ATen.h>
#include <torch/nn/modules/conv.h>

#include "inn/core/error.h"

namespace inn {
namespace {

template <size_t D>
struct Plain;
template <>
struct Plain<1> {
  using Layer = torch::nn::Conv1d;
  using Transposed = torch::nn::ConvTranspose1d;
};
template <>
struct Plain<2> {
  using Layer = torch::nn::Conv2d;
  using Transposed = torch::nn::ConvTranspose2d;
};
template <>
struct Plain<3> {
  using Layer = torch::nn::Conv3d;
  using Transposed = torch::nn::ConvTranspose3d;
};

/// The channels of one group.
IntegralAxis channels_of_group(const IntegralAxis& axis, const IntegralAxis& groups, const char* which) {
  const auto rest = axis.after(groups);
  require(rest.has_value(), "model",
          "Integral convolution: the first factor of axis '{}' must be the axis 'groups' of width {}, e.g. "
          "groups * 8.",
          which, groups.width());
  return *rest;
}

}  // namespace

template <size_t D>
IntegralConvImpl<D>::IntegralConvImpl(IntegralConvOptions<D> options)
    : torch::nn::Module(fmt::format("IntegralConv{}d", D)),
      options_(std::move(options)),
      in_of_group_(channels_of_group(options_.in, options_.groups, "in")) {
  channels_of_group(options_.out, options_.groups, "out");
  const auto plain = typename Plain<D>::Layer(
      torch::nn::ConvOptions<D>(options_.in.source_width(), options_.out.source_width(), options_.kernel_size)
          .groups(options_.groups.source_width())
          .bias(options_.bias));
  weight = register_parameter("weight", plain->weight);
  if (options_.bias) bias = register_parameter("bias", plain->bias);
}

template <size_t D>
at::Tensor IntegralConvImpl<D>::forward(const at::Tensor& input) {
  const auto produced = options_.out.factors(MemberRole::produce);
  const auto kernel = sample_axes(weight, {produced, in_of_group_.factors(MemberRole::consume)});
  const auto shift = bias.defined() ? sample_axes(bias, {produced}) : bias;
  const auto& o = options_;
  if constexpr (D == 1)
    return at::conv1d(input, kernel, shift, o.stride, o.padding, o.dilation, o.groups.width());
  else if constexpr (D == 2)
    return at::conv2d(input, kernel, shift, o.stride, o.padding, o.dilation, o.groups.width());
  else
    return at::conv3d(input, kernel, shift, o.stride, o.padding, o.dilation, o.groups.width());
}

template <size_t D>
IntegralConvTransposeImpl<D>::IntegralConvTransposeImpl(IntegralConvOptions<D> options)
    : torch::nn::Module(fmt::format("IntegralConvTranspose{}d", D)),
      options_(std::move(options)),
      in_of_group_(channels_of_group(options_.in, options_.groups, "in")),
      out_of_group_(channels_of_group(options_.out, options_.groups, "out")) {
  const auto plain = typename Plain<D>::Transposed(
      torch::nn::ConvTransposeOptions<D>(options_.in.source_width(), options_.out.source_width(),
                                         options_.kernel_size)
          .groups(options_.groups.source_width())
          .bias(options_.bias));
  weight = register_parameter("weight", plain->weight);
  if (options_.bias) bias = register_parameter("bias", plain->bias);
}

template <size_t D>
at::Tensor IntegralConvTransposeImpl<D>::forward(const at::Tensor& input) {
  // The weight's first axis is the input's: in a product with the groups, which are not summed over.
  auto first = options_.groups.factors(MemberRole::produce);
  for (const auto& factor : in_of_group_.factors(MemberRole::consume)) first.push_back(factor);
  const auto kernel = sample_axes(weight, {first, out_of_group_.factors(MemberRole::produce)});
  const auto shift = bias.defined() ? sample_axes(bias, {options_.out.factors(MemberRole::produce)}) : bias;
  const auto& o = options_;
  if constexpr (D == 1)
    return at::conv_transpose1d(input, kernel, shift, o.stride, o.padding, o.output_padding, o.groups.width(),
                                o.dilation);
  else if constexpr (D == 2)
    return at::conv_transpose2d(input, kernel, shift, o.stride, o.padding, o.output_padding, o.groups.width(),
                                o.dilation);
  else
    return at::conv_transpose3d(input, kernel, shift, o.stride, o.padding, o.output_padding, o.groups.width(),
                                o.dilation);
}

template class IntegralConvImpl<1>;
template class IntegralConvImpl<2>;
template class IntegralConvImpl<3>;
template class IntegralConvTransposeImpl<1>;
template class IntegralConvTransposeImpl<2>;
template class IntegralConvTransposeImpl<3>;

}  // namespace inn
