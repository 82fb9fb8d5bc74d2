#pragma once
// Integral layers for building models: linear and normalizations.
//
// A layer is a torch::nn::Module that holds ordinary parameters, at the source widths of its axes and under
// torch's own names. Each forward pass samples them at the grids of its axes (docs/math.md, "Integral
// layers") and runs torch's own operator: exact at the source width, trainable at every one. A model of them,
// traced at its source widths, is an ordinary network, which `convert` makes an integral model with the same
// axes.

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include "inn/model/integral_axis.h"

namespace inn {

struct IntegralLinearOptions {
  IntegralAxis in, out;
  bool bias = true;
};

/// y(x_out) = ∫ F(x_out, x) a(x) dx + b(x_out).
class IntegralLinearImpl : public torch::nn::Module {
 public:
  /// Initialized like torch::nn::Linear.
  explicit IntegralLinearImpl(IntegralLinearOptions options);

  /// input: […, in.width()]. Returns […, out.width()].
  at::Tensor forward(const at::Tensor& input);
  void resize_in(int64_t width) { options_.in.resize(width); }
  void resize_out(int64_t width) { options_.out.resize(width); }
  const IntegralLinearOptions& options() const { return options_; }

  at::Tensor weight;  // [out, in] at source widths
  at::Tensor bias;    // [out], or undefined

 private:
  IntegralLinearOptions options_;
};
TORCH_MODULE(IntegralLinear);

struct IntegralBatchNormOptions {
  IntegralAxis channels;
  double eps = 1e-5;
  double momentum = 0.1;
  bool affine = true;
};

/// Batch norm of inputs with any number of spatial axes. Weight, bias and running statistics are functions of
/// the channel coordinate; a sampled variance stays between the least and greatest of its source.
class IntegralBatchNormImpl : public torch::nn::Module {
 public:
  explicit IntegralBatchNormImpl(IntegralBatchNormOptions options);

  /// input: [n, channels.width(), …]. In training mode it normalizes by the batch; the running statistics are
  /// updated at the source width only, so recalibrate them at other widths. In evaluation mode also
  /// differentiable in the grid.
  at::Tensor forward(const at::Tensor& input);
  void resize(int64_t width) { options_.channels.resize(width); }
  const IntegralBatchNormOptions& options() const { return options_; }

  at::Tensor weight, bias;               // [channels], or undefined
  at::Tensor running_mean, running_var;  // [channels]

 private:
  IntegralBatchNormOptions options_;
};
TORCH_MODULE(IntegralBatchNorm);

struct IntegralLayerNormOptions {
  IntegralAxis channels;
  double eps = 1e-5;
  bool affine = true;
};

/// Layer norm over the last axis, by the mean and variance over the sampled channels.
class IntegralLayerNormImpl : public torch::nn::Module {
 public:
  explicit IntegralLayerNormImpl(IntegralLayerNormOptions options);

  /// input: […, channels.width()].
  at::Tensor forward(const at::Tensor& input);
  void resize(int64_t width) { options_.channels.resize(width); }
  const IntegralLayerNormOptions& options() const { return options_; }

  at::Tensor weight, bias;  // [channels], or undefined

 private:
  IntegralLayerNormOptions options_;
};
TORCH_MODULE(IntegralLayerNorm);

struct IntegralGroupNormOptions {
  IntegralAxis groups;    // their number is an axis too
  IntegralAxis channels;  // first factor: the axis `groups`, e.g. groups * 8
  double eps = 1e-5;
  bool affine = true;
};

/// Group norm: normalizes each group of channels by its own mean and variance.
class IntegralGroupNormImpl : public torch::nn::Module {
 public:
  /// Throws std::invalid_argument unless `groups` is the first factor of `channels`.
  explicit IntegralGroupNormImpl(IntegralGroupNormOptions options);

  /// input: [n, channels.width(), …].
  at::Tensor forward(const at::Tensor& input);
  const IntegralGroupNormOptions& options() const { return options_; }

  at::Tensor weight, bias;  // [channels], or undefined

 private:
  IntegralGroupNormOptions options_;
};
TORCH_MODULE(IntegralGroupNorm);

}  // namespace inn
