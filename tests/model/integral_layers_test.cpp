// Every integral layer, by one table: against torch's own layer, at other widths, by its gradients.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>

#include <cmath>

#include "inn/grid/grid.h"
#include "inn/model/integral_attention.h"
#include "inn/model/integral_convolution.h"
#include "inn/model/integral_layers.h"

namespace inn {
namespace {

using Tensors = std::vector<at::Tensor>;

/// A layer with what is wanted of it.
struct Built {
  std::shared_ptr<torch::nn::Module> layer;
  std::function<at::Tensor(const Tensors&)> run;
  /// Torch's own layer with the same parameters, at the source width.
  std::function<at::Tensor(const Tensors&)> plain;
  std::vector<IntegralAxis> axes;  // that can be resized
  /// The sizes of inputs and of the output at the present widths.
  std::function<std::vector<std::vector<int64_t>>()> input_sizes;
  std::function<std::vector<int64_t>()> output_sizes;
  /// Attention: torch's layer projects queries, keys and values in one product, and adds in another order.
  double tolerance = 0;
};

struct LayerCase {
  const char* name;
  Built (*build)();
};

/// Fills every parameter and statistic with numbers of which no two are alike; variances are positive.
template <class Holder>
Holder drawn(Holder layer) {
  at::NoGradGuard no_grad;
  layer->to(at::kDouble);
  for (auto& item : layer->named_parameters()) item.value().copy_(at::randn_like(item.value()) * 0.5 + 0.1);
  for (auto& item : layer->named_buffers())
    if (item.value().is_floating_point()) item.value().copy_(at::rand_like(item.value()) + 0.5);
  return layer;
}

/// Gives `to` the parameters and buffers of the same names.
void copy_state(const torch::nn::Module& from, torch::nn::Module& to) {
  at::NoGradGuard no_grad;
  to.to(at::kDouble);
  for (auto& item : to.named_parameters()) item.value().copy_(from.named_parameters()[item.key()]);
  const auto buffers = from.named_buffers();
  for (auto& item : to.named_buffers())
    if (const auto* found = buffers.find(item.key())) item.value().copy_(*found);
}

/// A layer of one input, beside torch's own.
template <class Integral, class Plain>
Built pair(Integral made, Plain plain, std::vector<IntegralAxis> axes,
           std::function<std::vector<int64_t>()> input, std::function<std::vector<int64_t>()> output) {
  auto layer = drawn(made);
  copy_state(*layer, *plain);
  layer->eval();
  plain->eval();
  return {.layer = layer.ptr(),
          .run = [layer](const Tensors& x) mutable { return layer->forward(x[0]); },
          .plain = [plain](const Tensors& x) mutable { return plain->forward(x[0]); },
          .axes = std::move(axes),
          .input_sizes = [input] { return std::vector<std::vector<int64_t>>{input()}; },
          .output_sizes = std::move(output)};
}

using Sizes1 = std::vector<int64_t>;

Built linear() {
  const IntegralAxis in = 6, out = 8;
  return pair(
      IntegralLinear(IntegralLinearOptions(in, out)), torch::nn::Linear(6, 8), {in, out},
      [=]() -> Sizes1 {
        return {3, 2, in.width()};
      },
      [=]() -> Sizes1 {
        return {3, 2, out.width()};
      });
}

/// A convolution over D axes of 5 positions with kernels of 2 and stride 1: 4 positions are left, or 6.
template <size_t D, class Integral, class Plain>
Built convolution(const IntegralConvOptions<D>& options, Plain plain, std::vector<IntegralAxis> axes,
                  int64_t positions) {
  const auto sizes = [](const IntegralAxis& channels, int64_t length) {
    Sizes1 sizes(D + 2, length);
    sizes[0] = 2;
    sizes[1] = channels.width();
    return sizes;
  };
  return pair(
      Integral(options), plain, std::move(axes), [=] { return sizes(options.in, 5); },
      [=] { return sizes(options.out, positions); });
}

Built conv1d() {
  const IntegralAxis in = 4, out = 6;
  return convolution<1, IntegralConv1d>(
      {.in = in, .out = out, .kernel_size = 2, .stride = 2, .padding = 1},
      torch::nn::Conv1d(torch::nn::Conv1dOptions(4, 6, 2).stride(2).padding(1)), {in, out}, 3);
}
Built conv2d() {
  const IntegralAxis in = 4, out = 6;
  return convolution<2, IntegralConv2d>({.in = in, .out = out, .kernel_size = 2, .dilation = 2},
                                        torch::nn::Conv2d(torch::nn::Conv2dOptions(4, 6, 2).dilation(2)),
                                        {in, out}, 3);
}
Built conv3d() {
  const IntegralAxis in = 4, out = 6;
  return convolution<3, IntegralConv3d>({.in = in, .out = out, .kernel_size = 2},
                                        torch::nn::Conv3d(torch::nn::Conv3dOptions(4, 6, 2)), {in, out}, 4);
}
Built grouped_conv2d() {
  const IntegralAxis groups = 4, in = 2, out = 3;
  return convolution<2, IntegralConv2d>(
      {.in = groups * in, .out = groups * out, .kernel_size = 2, .groups = groups},
      torch::nn::Conv2d(torch::nn::Conv2dOptions(8, 12, 2).groups(4)), {groups, in, out}, 4);
}
Built depthwise_conv2d() {
  const IntegralAxis channels = 6;
  return convolution<2, IntegralConv2d>(
      {.in = channels, .out = channels, .kernel_size = 2, .groups = channels, .bias = false},
      torch::nn::Conv2d(torch::nn::Conv2dOptions(6, 6, 2).groups(6).bias(false)), {channels}, 4);
}
Built conv_transpose1d() {
  const IntegralAxis in = 4, out = 6;
  return convolution<1, IntegralConvTranspose1d>(
      {.in = in, .out = out, .kernel_size = 2, .stride = 2, .output_padding = 1},
      torch::nn::ConvTranspose1d(torch::nn::ConvTranspose1dOptions(4, 6, 2).stride(2).output_padding(1)),
      {in, out}, 11);
}
Built conv_transpose2d() {
  const IntegralAxis groups = 2, in = 3, out = 4;
  return convolution<2, IntegralConvTranspose2d>(
      {.in = groups * in, .out = groups * out, .kernel_size = 2, .groups = groups},
      torch::nn::ConvTranspose2d(torch::nn::ConvTranspose2dOptions(6, 8, 2).groups(2)), {groups, in, out}, 6);
}
Built conv_transpose3d() {
  const IntegralAxis in = 4, out = 6;
  return convolution<3, IntegralConvTranspose3d>(
      {.in = in, .out = out, .kernel_size = 2},
      torch::nn::ConvTranspose3d(torch::nn::ConvTranspose3dOptions(4, 6, 2)), {in, out}, 6);
}

Built batch_norm() {
  const IntegralAxis channels = 6;
  const auto sizes = [=]() -> Sizes1 { return {5, channels.width(), 2, 3}; };
  return pair(IntegralBatchNorm(IntegralBatchNormOptions{.channels = channels}), torch::nn::BatchNorm2d(6),
              {channels}, sizes, sizes);
}
Built layer_norm() {
  const IntegralAxis channels = 6;
  const auto sizes = [=]() -> Sizes1 { return {5, 2, channels.width()}; };
  return pair(IntegralLayerNorm(IntegralLayerNormOptions{.channels = channels}),
              torch::nn::LayerNorm(torch::nn::LayerNormOptions({6})), {channels}, sizes, sizes);
}
Built group_norm() {
  const IntegralAxis groups = 2, channels = 4;
  const auto sizes = [=]() -> Sizes1 { return {5, (groups * channels).width(), 3}; };
  return pair(IntegralGroupNorm(IntegralGroupNormOptions{.groups = groups, .channels = groups * channels}),
              torch::nn::GroupNorm(2, 8), {groups, channels}, sizes, sizes);
}

/// Torch's own layer has queries first, keys second, values third in one matrix, and wants the batch second.
Built attention(bool crosses) {
  const IntegralAxis embed = 12, heads = 3, head_dim = 4, key = 6, value = 6;
  IntegralMultiheadAttentionOptions options{.embed = embed, .heads = heads, .head_dim = head_dim};
  auto theirs = torch::nn::MultiheadAttentionOptions(12, 3);
  if (crosses) {
    options.key = key;
    options.value = value;
    theirs.kdim(6).vdim(6);
  }
  auto layer = drawn(IntegralMultiheadAttention(options));
  auto plain = torch::nn::MultiheadAttention(theirs);
  plain->to(at::kDouble);
  layer->eval();
  plain->eval();
  {
    at::NoGradGuard no_grad;
    const auto& q = *layer->query_projection;
    const auto &k = *layer->key_projection, &v = *layer->value_projection;
    if (crosses) {
      plain->q_proj_weight.copy_(q.weight);
      plain->k_proj_weight.copy_(k.weight);
      plain->v_proj_weight.copy_(v.weight);
    } else {
      plain->in_proj_weight.copy_(at::cat({q.weight, k.weight, v.weight}));
    }
    plain->in_proj_bias.copy_(at::cat({q.bias, k.bias, v.bias}));
    plain->out_proj->weight.copy_(layer->output_projection->weight);
    plain->out_proj->bias.copy_(layer->output_projection->bias);
  }
  Built built;
  built.layer = layer.ptr();
  built.run = [layer, crosses](const Tensors& x) mutable {
    return crosses ? layer->forward(x[0], x[1], x[2]) : layer->forward(x[0]);
  };
  built.plain = [plain, crosses](const Tensors& x) mutable {
    const auto at_time = [&](size_t k) { return x[crosses ? k : 0].transpose(0, 1); };
    return std::get<0>(plain->forward(at_time(0), at_time(1), at_time(2))).transpose(0, 1);
  };
  built.axes = {embed, heads, head_dim};
  if (crosses) built.axes.insert(built.axes.end(), {key, value});
  built.input_sizes = [=]() -> std::vector<Sizes1> {
    return crosses ? std::vector<Sizes1>{{2, 5, embed.width()}, {2, 7, key.width()}, {2, 7, value.width()}}
                   : std::vector<Sizes1>{{2, 5, embed.width()}};
  };
  built.output_sizes = [=]() -> Sizes1 { return {2, 5, embed.width()}; };
  built.tolerance = 1e-12;
  return built;
}
Built self_attention() { return attention(false); }
Built cross_attention() { return attention(true); }

constexpr LayerCase kLayers[] = {{"Linear", linear},
                                 {"Conv1d", conv1d},
                                 {"Conv2d", conv2d},
                                 {"Conv3d", conv3d},
                                 {"GroupedConv2d", grouped_conv2d},
                                 {"DepthwiseConv2d", depthwise_conv2d},
                                 {"ConvTranspose1d", conv_transpose1d},
                                 {"GroupedConvTranspose2d", conv_transpose2d},
                                 {"ConvTranspose3d", conv_transpose3d},
                                 {"BatchNorm", batch_norm},
                                 {"LayerNorm", layer_norm},
                                 {"GroupNorm", group_norm},
                                 {"SelfAttention", self_attention},
                                 {"CrossAttention", cross_attention}};

class EveryIntegralLayer : public testing::TestWithParam<LayerCase> {
 protected:
  EveryIntegralLayer() {
    at::manual_seed(7);
    built_ = GetParam().build();
  }
  Tensors inputs() const {
    Tensors inputs;
    for (const auto& sizes : built_.input_sizes()) inputs.push_back(at::randn(sizes, at::kDouble));
    return inputs;
  }
  static std::vector<int64_t> widths_of(const IntegralAxis& axis) {
    return {1, std::max<int64_t>(1, axis.source_width() / 2), 2 * axis.source_width()};
  }

  Built built_;
};

TEST_P(EveryIntegralLayer, IsTorchsOwnAtTheSourceWidthAndAgainAfterOthers) {
  at::NoGradGuard no_grad;
  const auto x = inputs();
  const auto expected = built_.plain(x);
  for (int round = 0; round < 2; ++round) {
    const auto output = built_.run(x);
    if (built_.tolerance == 0) {
      EXPECT_TRUE(at::equal(output, expected));
    } else {
      EXPECT_LE((output - expected).abs().max().item<double>(),
                built_.tolerance * expected.abs().max().item<double>());
    }
    for (auto& axis : built_.axes) axis.resize(1);
    built_.run(inputs());
    for (auto& axis : built_.axes) axis.resize(axis.source_width());
  }
}

TEST_P(EveryIntegralLayer, RunsAtOneHalfAndTwiceTheWidthOfEachAxisAndOfAll) {
  for (size_t chosen = 0; chosen <= built_.axes.size(); ++chosen) {
    for (size_t k = 0; k < 3; ++k) {
      for (size_t a = 0; a < built_.axes.size(); ++a)
        if (chosen == a || chosen == built_.axes.size()) built_.axes[a].resize(widths_of(built_.axes[a])[k]);
      const auto output = built_.run(inputs());
      EXPECT_EQ(output.sizes(), built_.output_sizes()) << "axis " << chosen << ", width " << k;
      EXPECT_TRUE(output.isfinite().all().item<bool>());
      for (auto& axis : built_.axes) axis.resize(axis.source_width());
    }
  }
}

/// Central differences of step 1e-6 in float64, of sums of some hundred terms of order 1.
constexpr double kLayerGradient = 2e-6;

/// Compares the gradient of Σ r·run(x) in `tensor` with central differences, in some entries.
void expect_layer_gradient(const std::function<at::Tensor()>& loss, at::Tensor tensor,
                           const std::string& name) {
  tensor.mutable_grad() = at::Tensor();
  loss().backward();
  ASSERT_TRUE(tensor.grad().defined()) << name;
  const auto gradient = tensor.grad().clone().view({-1});
  at::NoGradGuard no_grad;
  auto entries = tensor.detach().view({-1});
  constexpr double kStep = 1e-6;
  for (int64_t i = 0; i < entries.size(0); i += std::max<int64_t>(1, entries.size(0) / 5)) {
    const double value = entries[i].item<double>();
    entries[i] = value + kStep;
    const double above = loss().item<double>();
    entries[i] = value - kStep;
    const double below = loss().item<double>();
    entries[i] = value;
    const double numeric = (above - below) / (2 * kStep);
    EXPECT_NEAR(gradient[i].item<double>(), numeric, kLayerGradient * std::max(1.0, std::abs(numeric)))
        << name << "[" << i << "]";
  }
}

TEST_P(EveryIntegralLayer, HasTheGradientsOfFiniteDifferencesInParametersAndGrids) {
  for (const bool trains_grids : {false, true}) {
    std::vector<std::shared_ptr<TrainableGrid>> grids;
    for (auto& axis : built_.axes) {
      const int64_t width = std::max<int64_t>(2, axis.source_width() - 1);
      axis.resize(width);
      if (!trains_grids) continue;
      // Off the control points, where the kernel has a derivative.
      grids.push_back(
          std::make_shared<TrainableGrid>(at::linspace(0.05, 0.3, width - 1, at::kDouble).requires_grad_()));
      axis.set_grid(grids.back());
    }
    const auto x = inputs();
    const auto loss = [&] {
      const auto output = built_.run(x).flatten();
      return (output * at::cos(at::arange(output.size(0), at::kDouble) * 1.7 + 0.3)).sum();
    };
    for (auto& item : built_.layer->named_parameters()) expect_layer_gradient(loss, item.value(), item.key());
    for (size_t g = 0; g < grids.size(); ++g)
      if (grids[g]->size() > 2)  // both of its points are fixed
        expect_layer_gradient(loss, grids[g]->theta(), fmt::format("grid {}", g));
  }
}

INSTANTIATE_TEST_SUITE_P(Layers, EveryIntegralLayer, testing::ValuesIn(kLayers),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace inn
