// A model of integral layers, traced and converted, is the same integral model.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "inn/model/integral_attention.h"
#include "inn/model/integral_convolution.h"
#include "inn/model/integral_layers.h"
#include "inn/network/files.h"

namespace inn {
namespace {

constexpr double kTwoRoads = 1e-10;  // float64, the same sums in another order

/// Every continuous axis has a width of its own, by which its group is found.
class IntegralConvolutional : public torch::nn::Module {
 public:
  IntegralAxis groups = 4, inner = 2, outer = 3, hidden = 5;

  IntegralConvolutional() {
    const auto first = groups * inner, second = groups * outer;
    stem_ = register_module("stem",
                            IntegralConv2d(IntegralConvOptions<2>{.in = 3, .out = first, .kernel_size = 3}));
    norm_ = register_module("norm", IntegralBatchNorm(IntegralBatchNormOptions{.channels = first}));
    depthwise_ = register_module(
        "depthwise",
        IntegralConv2d(IntegralConvOptions<2>{.in = first, .out = first, .kernel_size = 2, .groups = first}));
    grouped_ =
        register_module("grouped", IntegralConv2d(IntegralConvOptions<2>{
                                       .in = first, .out = second, .kernel_size = 1, .groups = groups}));
    group_norm_ = register_module(
        "group_norm", IntegralGroupNorm(IntegralGroupNormOptions{.groups = groups, .channels = second}));
    up_ = register_module("up", IntegralConvTranspose2d(IntegralConvOptions<2>{
                                    .in = second, .out = hidden, .kernel_size = 2, .stride = 2}));
    layer_norm_ =
        register_module("layer_norm", IntegralLayerNorm(IntegralLayerNormOptions{.channels = hidden}));
    head_ = register_module("head", IntegralLinear(IntegralLinearOptions{.in = hidden, .out = 7}));
  }

  at::Tensor forward(const at::Tensor& x) {
    auto y = at::tanh(norm_->forward(stem_->forward(x)));
    y = group_norm_->forward(grouped_->forward(depthwise_->forward(y)));
    y = layer_norm_->forward(at::mean(up_->forward(at::tanh(y)), {2, 3}));
    return head_->forward(y);
  }

 private:
  IntegralConv2d stem_{nullptr}, depthwise_{nullptr}, grouped_{nullptr};
  IntegralConvTranspose2d up_{nullptr};
  IntegralBatchNorm norm_{nullptr};
  IntegralGroupNorm group_norm_{nullptr};
  IntegralLayerNorm layer_norm_{nullptr};
  IntegralLinear head_{nullptr};
};

/// Widths of the embedding, heads, and head dimension of queries and keys and of values, all set apart.
class IntegralTransformer : public torch::nn::Module {
 public:
  IntegralAxis embed = 10, heads = 3, head_dim = 4, value_dim = 5;

  IntegralTransformer() {
    stem_ = register_module("stem", IntegralLinear(IntegralLinearOptions{.in = 6, .out = embed}));
    attention_ = register_module(
        "attention", IntegralMultiheadAttention(IntegralMultiheadAttentionOptions{
                         .embed = embed, .heads = heads, .head_dim = head_dim, .value_dim = value_dim}));
    norm_ = register_module("norm", IntegralLayerNorm(IntegralLayerNormOptions{.channels = embed}));
    head_ = register_module("head", IntegralLinear(IntegralLinearOptions{.in = embed, .out = 2}));
  }

  at::Tensor forward(const at::Tensor& x) {
    const auto y = stem_->forward(x);
    return head_->forward(norm_->forward(y + attention_->forward(y)));
  }

 private:
  IntegralLinear stem_{nullptr}, head_{nullptr};
  IntegralMultiheadAttention attention_{nullptr};
  IntegralLayerNorm norm_{nullptr};
};

template <class Model>
std::shared_ptr<Model> drawn_model() {
  at::manual_seed(11);
  at::NoGradGuard no_grad;
  auto model = std::make_shared<Model>();
  model->to(at::kDouble);
  model->eval();
  for (auto& item : model->named_parameters()) item.value().copy_(at::randn_like(item.value()) * 0.4 + 0.1);
  for (auto& item : model->named_buffers()) item.value().copy_(at::rand_like(item.value()) + 0.5);
  return model;
}

/// Gives the axes of the layers and the groups of the converted model the same widths and compares outputs.
template <class Model>
void expect_two_roads(Model& layers, std::vector<IntegralAxis> axes, const at::Tensor& x) {
  const auto network = trace(
      layers, [&](const at::Tensor& y) { return layers.forward(y); }, x);
  auto converted = convert(network, {.order = "none"});
  converted->eval();
  ASSERT_EQ(converted->groups().size(), axes.size());
  at::NoGradGuard no_grad;
  EXPECT_TRUE(at::equal(converted->forward(x), layers.forward(x)));
  for (const double fraction : {0.1, 0.6, 0.8, 1.7}) {
    for (auto& axis : axes) {
      const int64_t width = fraction_width(fraction, axis.source_width());
      axis.resize(width);
      size_t found = 0;
      for (auto& group : converted->groups()) {
        if (group.source_width() != axis.source_width()) continue;
        group.resize(width);
        ++found;
      }
      ASSERT_EQ(found, 1u) << axis.source_width();
    }
    const auto by_layers = layers.forward(x), by_network = converted->forward(x);
    EXPECT_LE((by_layers - by_network).abs().max().template item<double>(),
              kTwoRoads * by_layers.abs().max().template item<double>())
        << fraction;
  }
}

TEST(IntegralLayers, ConvertedAreTheSameModelAtEveryWidth) {
  auto model = drawn_model<IntegralConvolutional>();
  expect_two_roads(*model, {model->groups, model->inner, model->outer, model->hidden},
                   at::randn({2, 3, 6, 5}, at::kDouble));
}

TEST(IntegralLayers, WithAttentionConvertedAreTheSameModelAtEveryWidth) {
  if (!RuleTable::standard().rules().contains("aten::scaled_dot_product_attention"))
    GTEST_SKIP() << "there is no rule for attention";
  auto model = drawn_model<IntegralTransformer>();
  expect_two_roads(*model, {model->embed, model->heads, model->head_dim, model->value_dim},
                   at::randn({2, 7, 6}, at::kDouble));
}

}  // namespace
}  // namespace inn
