// Each linear call as matrices, against what torch's own operator gives.

#include "inn/network/linear_call.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <map>

#include "network_builder.h"

namespace inn {
namespace {

using test::NetworkBuilder;

constexpr double kRounding = 1e-12;  // float64, sums of at most some hundred products
constexpr PositionSample kAllPositions{1 << 20, 0};

/// Runs the network's one linear call on its example, and compares its output's rows with features times
/// weights.
void expect_rows(const Network& network, const PositionSample& positions = kAllPositions) {
  size_t last = network.calls.size() - 1;
  const auto found = linear_call(network, last);
  const auto* linear = std::get_if<LinearCall>(&found);
  ASSERT_NE(linear, nullptr);
  std::map<ValueId, at::Tensor> values;
  const at::Tensor x = at::randn(network.values[network.inputs[0]].sizes, at::kDouble);
  network.forward({x}, network.tensors(),
                  {.observe = [&](ValueId id, const at::Tensor& t) { values[id] = t; }});
  const auto samples = x.size(0);
  const auto features = features_of(network, *linear, values.at(linear->input), samples, positions);
  const auto targets = targets_of(network, *linear, values.at(linear->output), samples, positions);
  ASSERT_EQ(features.dim(), 4);
  ASSERT_EQ(features.size(1), samples);
  auto rows = at::einsum("gspf,gof->gspo", {features, weight_matrix(network, *linear)});
  if (linear->bias) rows = rows + network.state[*linear->bias].tensor.reshape({features.size(0), 1, 1, -1});
  ASSERT_EQ(rows.sizes(), targets.sizes());
  EXPECT_LE((rows - targets).abs().max().item<double>(), kRounding * targets.abs().max().item<double>());
  EXPECT_TRUE(at::equal(weight_of_matrix(network, *linear, weight_matrix(network, *linear)),
                        network.state[linear->weight].tensor));
}

Network with_weight(const std::string& op, std::vector<int64_t> input, std::vector<int64_t> weight,
                    std::vector<NetworkBuilder::Given> rest, int64_t bias = 0) {
  NetworkBuilder b(1);
  std::vector<NetworkBuilder::Given> given{
      b.input("x", std::move(input)), b.parameter("weight", std::move(weight)), {}};
  if (bias > 0) given[2] = b.parameter("bias", {bias});
  given.insert(given.end(), rest.begin(), rest.end());
  return b.finish(b.call(op, op == "aten::conv_transpose2d" ? "input" : "", given));
}

TEST(LinearCall, LinearLayersWithAndWithoutBias) {
  expect_rows(with_weight("aten::linear", {3, 5}, {4, 5}, {}, 4));
  expect_rows(with_weight("aten::linear", {3, 7, 5}, {4, 5}, {}));
  expect_rows(with_weight("aten::linear", {3, 2, 7, 5}, {4, 5}, {}, 4));
}

TEST(LinearCall, MatrixProductsWithTheWeightOnTheRight) {
  NetworkBuilder b(2);
  auto x = b.input("x", {3, 5});
  expect_rows(
      b.finish(b.call("aten::addmm", "", {b.parameter("bias", {4}), x, b.parameter("weight", {5, 4})})));
  NetworkBuilder c(3);
  x = c.input("x", {3, 7, 5});
  expect_rows(c.finish(c.call("aten::matmul", "", {x, c.parameter("weight", {5, 4})})));
  NetworkBuilder d(4);
  x = d.input("x", {3, 5});
  const auto turned = d.call("aten::t", "", {d.parameter("weight", {4, 5})});
  expect_rows(d.finish(d.call("aten::mm", "", {x, turned})));
}

TEST(LinearCall, ConvolutionsOfEveryKind) {
  expect_rows(with_weight("aten::conv1d", {2, 3, 9}, {4, 3, 3}, {{2}, {1}, {2}, 1}, 4));
  expect_rows(with_weight("aten::conv2d", {2, 4, 7, 6}, {6, 4, 3, 2}, {{2, 1}, {1, 2}, {1, 3}, 1}, 6));
  expect_rows(with_weight("aten::conv2d", {2, 4, 7, 6}, {6, 2, 3, 3}, {{1, 1}, {1, 1}, {1, 1}, 2}));
  expect_rows(with_weight("aten::conv2d", {2, 4, 5, 5}, {8, 1, 3, 3}, {{1, 1}, {0, 0}, {1, 1}, 4}, 8));
  expect_rows(
      with_weight("aten::conv3d", {2, 2, 4, 5, 3}, {3, 2, 2, 3, 1}, {{1, 2, 1}, {1, 0, 1}, {1, 1, 1}, 1}));
}

TEST(LinearCall, PaddingByName) {
  NetworkBuilder b(5);
  const auto x = b.input("x", {2, 3, 6, 7});
  expect_rows(b.finish(b.call("aten::conv2d", "padding",
                              {x, b.parameter("weight", {4, 3, 2, 3}), {}, {1, 1}, "same", {2, 1}, 1})));
}

TEST(LinearCall, TransposedConvolutions) {
  expect_rows(with_weight("aten::conv_transpose1d", {2, 3, 5}, {3, 4, 3}, {{2}, {1}, {1}, 1, {2}}, 4));
  expect_rows(with_weight("aten::conv_transpose2d", {2, 4, 3, 4}, {4, 3, 3, 2},
                          {{2, 3}, {1, 0}, {1, 2}, 2, {1, 1}}, 6));
}

TEST(LinearCall, PositionsAreTheSameForFeaturesAndTargets) {
  expect_rows(with_weight("aten::conv2d", {3, 2, 9, 9}, {4, 2, 3, 3}, {{1, 1}, {1, 1}, {1, 1}, 1}, 4),
              {10, 7});
  expect_rows(with_weight("aten::linear", {3, 40, 5}, {4, 5}, {}, 4), {10, 7});
}

TEST(LinearCall, SaysWhyAWeightCannotBeFit) {
  NetworkBuilder b(6);
  auto x = b.input("x", {2, 4});
  const auto weight = b.parameter("shared", {4, 4});
  x = b.call("aten::linear", "", {x, weight});
  const auto network = b.finish(b.call("aten::linear", "", {x, weight}));
  EXPECT_EQ(std::get<std::string>(linear_call(network, 1)), "'shared' is used by 2 calls");

  NetworkBuilder c(7);
  x = c.input("x", {2, 4});
  const auto twice = c.call("aten::mul", "Scalar", {c.parameter("weight", {4, 4}), 2.0});
  const auto computed = c.finish(c.call("aten::linear", "", {x, twice}));
  EXPECT_EQ(std::get<std::string>(linear_call(computed, 1)), "the weight of aten::linear () is computed");
  EXPECT_TRUE(std::holds_alternative<std::monostate>(linear_call(computed, 0)));
}

}  // namespace
}  // namespace inn
