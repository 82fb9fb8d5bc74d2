#include "inn/model/integral_axis.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <torch/nn/modules/batchnorm.h>

#include "inn/model/integral_convolution.h"
#include "inn/model/integral_layers.h"

namespace inn {
namespace {

constexpr double kQuadrature = 1e-12;  // float64, sums of some tens of terms

/// With F(x_out, x) = 1 + 2·x_out + 3·x, which cubic interpolation gives back exactly, and a(x) = x², the
/// layer is the trapezoid rule of ∫ F(x_out, x) x² dx at any width.
TEST(IntegralLinearLayer, IsTheQuadratureOfItsWeightFunction) {
  IntegralAxis in(9, {.quadrature = "trapezoid"}), out = 7;
  IntegralLinear layer(IntegralLinearOptions{.in = in, .out = out, .bias = false});
  layer->to(at::kDouble);
  at::NoGradGuard no_grad;
  const auto trapezoid = [](int64_t n) {
    auto weights = at::full({n}, 1.0 / static_cast<double>(n - 1), at::kDouble);
    weights[0] = weights[n - 1] = 0.5 / static_cast<double>(n - 1);
    return weights;
  };
  const auto values = [](int64_t m, int64_t n) {
    return 1 + 2 * at::linspace(0, 1, m, at::kDouble).view({-1, 1}) + 3 * at::linspace(0, 1, n, at::kDouble);
  };
  layer->weight.copy_(values(7, 9) * trapezoid(9));
  for (const int64_t width : {5, 9, 33}) {
    in.resize(width);
    out.resize(width + 2);
    const auto a = at::linspace(0, 1, width, at::kDouble).square();
    const auto expected = (values(width + 2, width) * trapezoid(width) * a).sum(1);
    EXPECT_LE((layer->forward(a) - expected).abs().max().item<double>(), kQuadrature) << width;
  }
}

TEST(IntegralAxisOfLayers, IsOneForAllLayersThatShareIt) {
  IntegralAxis hidden = 8;
  IntegralLinear first(IntegralLinearOptions(3, hidden)), second(IntegralLinearOptions(hidden, 2));
  const auto x = at::randn({5, 3});
  for (const int64_t width : {1, 5, 8, 20}) {
    first->resize_out(width);
    EXPECT_EQ(second->options().in.width(), width);
    EXPECT_EQ(second->forward(first->forward(x)).sizes(), (std::vector<int64_t>{5, 2}));
  }
}

TEST(IntegralAxisOfLayers, RefusesWhatItCantBe) {
  IntegralAxis groups = 4, channels = 8;
  EXPECT_THROW(IntegralAxis(0), std::invalid_argument);
  EXPECT_THROW(IntegralAxis(4, {.kernel = "quartic"}), std::invalid_argument);
  EXPECT_THROW((groups * channels).resize(3), std::invalid_argument);
  EXPECT_THROW(channels.resize(0), std::invalid_argument);
  EXPECT_THROW(channels.resize(65), std::invalid_argument);
  EXPECT_EQ((groups * channels).width(), 32);
  EXPECT_THROW(IntegralConv2d(IntegralConvOptions<2>{
                   .in = channels, .out = groups * 2, .kernel_size = 1, .groups = groups}),
               std::invalid_argument);
  EXPECT_THROW(IntegralConv2d(IntegralConvOptions<2>{
                   .in = groups * 2, .out = channels, .kernel_size = 1, .groups = groups}),
               std::invalid_argument);
  EXPECT_THROW(IntegralGroupNorm(IntegralGroupNormOptions{.groups = groups, .channels = channels}),
               std::invalid_argument);
}

TEST(IntegralBatchNormLayer, LearnsItsStatisticsAtTheSourceWidthAlone) {
  IntegralAxis channels = 4;
  IntegralBatchNorm layer(IntegralBatchNormOptions{.channels = channels});
  torch::nn::BatchNorm1d plain(4);
  const auto x = at::randn({16, 4}) + 3;
  EXPECT_TRUE(at::equal(layer->forward(x), plain->forward(x)));
  EXPECT_TRUE(at::equal(layer->running_mean, plain->running_mean));
  EXPECT_TRUE(at::equal(layer->running_var, plain->running_var));
  channels.resize(7);
  layer->forward(at::randn({16, 7}));
  EXPECT_TRUE(at::equal(layer->running_mean, plain->running_mean));
}

}  // namespace
}  // namespace inn
