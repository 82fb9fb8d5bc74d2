#pragma once
// Integral convolutions of one to three dimensions, plain and transposed, grouped and depthwise.

#include <torch/expanding_array.h>
#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include "inn/model/integral_axis.h"

namespace inn {

/// Options of a convolution with D spatial dimensions. Channel axes include the groups:
///
///   IntegralAxis groups = 4, channels = 32;
///   IntegralConvOptions<2>{.in = groups * 8, .out = groups * 16, .kernel_size = 3, .groups = groups};
///
/// and a depthwise one:
///
///   IntegralConvOptions<2>{.in = channels, .out = channels, .kernel_size = 3, .groups = channels};
template <size_t D>
struct IntegralConvOptions {
  IntegralAxis in, out;
  torch::ExpandingArray<D> kernel_size;
  torch::ExpandingArray<D> stride = 1;
  torch::ExpandingArray<D> padding = 0;
  torch::ExpandingArray<D> dilation = 1;
  IntegralAxis groups = {};  // the first factor of `in` and `out`
  bool bias = true;
  torch::ExpandingArray<D> output_padding = 0;  // of a transposed convolution
};

/// y(x_out, s) = Σ_taps ∫ F(x_out, x, tap) a(x, s + tap) dx + b(x_out); within each group if there are
/// groups. Kernel positions are discrete.
template <size_t D>
class IntegralConvImpl : public torch::nn::Module {
 public:
  /// Initialized like torch::nn::Conv1d, 2d, 3d. Throws std::invalid_argument unless `groups` is the first
  /// factor of `in` and `out`.
  explicit IntegralConvImpl(IntegralConvOptions<D> options);

  /// input: [n, in.width(), …]. Returns [n, out.width(), …].
  at::Tensor forward(const at::Tensor& input);
  void resize_in(int64_t width) { options_.in.resize(width); }
  void resize_out(int64_t width) { options_.out.resize(width); }
  const IntegralConvOptions<D>& options() const { return options_; }

  at::Tensor weight;  // [out, in/groups, taps…] at source widths
  at::Tensor bias;    // [out], or undefined

 private:
  IntegralConvOptions<D> options_;
  IntegralAxis in_of_group_;
};

/// Transposed convolution: y(x_out, s·stride + tap) += ∫ F(x, x_out, tap) a(x, s) dx.
template <size_t D>
class IntegralConvTransposeImpl : public torch::nn::Module {
 public:
  /// Initialized like torch::nn::ConvTranspose1d, 2d, 3d. Throws std::invalid_argument unless `groups` is the
  /// first factor of `in` and `out`.
  explicit IntegralConvTransposeImpl(IntegralConvOptions<D> options);

  /// input: [n, in.width(), …]. Returns [n, out.width(), …].
  at::Tensor forward(const at::Tensor& input);
  void resize_in(int64_t width) { options_.in.resize(width); }
  void resize_out(int64_t width) { options_.out.resize(width); }
  const IntegralConvOptions<D>& options() const { return options_; }

  at::Tensor weight;  // [in, out/groups, taps…] at source widths
  at::Tensor bias;    // [out], or undefined

 private:
  IntegralConvOptions<D> options_;
  IntegralAxis in_of_group_, out_of_group_;
};

TORCH_MODULE_IMPL(IntegralConv1d, IntegralConvImpl<1>);
TORCH_MODULE_IMPL(IntegralConv2d, IntegralConvImpl<2>);
TORCH_MODULE_IMPL(IntegralConv3d, IntegralConvImpl<3>);
TORCH_MODULE_IMPL(IntegralConvTranspose1d, IntegralConvTransposeImpl<1>);
TORCH_MODULE_IMPL(IntegralConvTranspose2d, IntegralConvTransposeImpl<2>);
TORCH_MODULE_IMPL(IntegralConvTranspose3d, IntegralConvTransposeImpl<3>);

}  // namespace inn
