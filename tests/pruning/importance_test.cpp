// Every importance against its closed form, computed number by number.

#include "inn/pruning/importance.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "inn/pruning/combination.h"
#include "inn/resampling/verify.h"
#include "network_builder.h"

namespace inn {
namespace {

using test::NetworkBuilder;

constexpr double kScoreRounding = 1e-12;  // float64, a few hundred operations, relative to 1

/// linear(3→4) → linear(4→1), no biases: y = Σ_c v_c Σ_i w_ci x_i.
Network two_linear_layers() {
  NetworkBuilder b(3);
  auto x = b.input("x", {2, 3});
  x = b.call("aten::linear", "", {x, b.parameter("first.weight", {4, 3})});
  return b.finish(b.call("aten::linear", "", {x, b.parameter("second.weight", {1, 4})}));
}

/// conv(2→4) → batch norm → relu → conv(4→3).
Network normalized_convolution() {
  NetworkBuilder b(4);
  auto x = b.input("x", {2, 2, 3, 3});
  x = b.call("aten::conv2d", "",
             {x, b.parameter("conv.weight", {4, 2, 2, 2}), b.parameter("conv.bias", {4})});
  x = b.call("aten::relu", "", {b.batch_norm("norm", x, 4)});
  return b.finish(b.call("aten::conv2d", "", {x, b.parameter("next.weight", {3, 4, 1, 1})}));
}

/// Two linear layers whose results are added: two producers of one group.
Network two_producers() {
  NetworkBuilder b(5);
  const auto x = b.input("x", {2, 3});
  const auto left = b.call("aten::linear", "", {x, b.parameter("left.weight", {4, 3})});
  const auto right = b.call("aten::linear", "", {x, b.parameter("right.weight", {4, 3})});
  const auto sum = b.call("aten::add", "Tensor", {left, right});
  return b.finish(b.call("aten::linear", "", {sum, b.parameter("read.weight", {2, 4})}));
}

at::Tensor tensor_of(const Network& network, const std::string& name) {
  return network.state[network.find_state(name)].tensor;
}

at::Tensor scores_of(const AnalysedNetwork& source, const std::string& group, const Importance& importance,
                     const ImportanceOptions& options = {}) {
  const GroupId id = source.groups.find(group);
  return importance_scores(source, {id}, importance, options).at(id);
}

void expect_scores(const at::Tensor& scores, const std::vector<double>& expected) {
  ASSERT_EQ(scores.size(0), static_cast<int64_t>(expected.size()));
  for (size_t c = 0; c < expected.size(); ++c)
    EXPECT_NEAR(scores[static_cast<int64_t>(c)].item<double>(), expected[c],
                kScoreRounding * (1 + std::abs(expected[c])))
        << "channel " << c;
}

double squared_distance(const at::Tensor& a, const at::Tensor& b) {
  double sum = 0;
  for (int64_t k = 0; k < a.numel(); ++k) {
    const double difference = a.flatten()[k].item<double>() - b.flatten()[k].item<double>();
    sum += difference * difference;
  }
  return sum;
}

/// Batches of one input each, cut from `inputs`, of these sizes; the loss of a sample is its output.
Calibration batches_of(const at::Tensor& inputs, const std::vector<int64_t>& sizes) {
  return {.batch = [=](int64_t index) -> std::optional<CalibrationBatch> {
            if (index >= static_cast<int64_t>(sizes.size())) return std::nullopt;
            const auto parts = inputs.split_with_sizes(sizes);
            return CalibrationBatch{{parts[static_cast<size_t>(index)]}};
          },
          .loss = [](const std::vector<c10::IValue>& outputs,
                     const CalibrationBatch&) { return outputs[0].toTensor().squeeze(1); }};
}

TEST(Importance, NormsAreThoseOfTheProducingRows) {
  const auto source = analyse(two_linear_layers());
  const auto weight = tensor_of(source.network, "first.weight");
  std::vector<double> l1(4, 0), l2(4, 0), l3(4, 0);
  for (int64_t c = 0; c < 4; ++c) {
    for (int64_t i = 0; i < 3; ++i) {
      const double magnitude = std::abs(weight[c][i].item<double>());
      l1[c] += magnitude;
      l2[c] += magnitude * magnitude;
      l3[c] += magnitude * magnitude * magnitude;
    }
    l2[c] = std::sqrt(l2[c]);
    l3[c] = std::cbrt(l3[c]);
  }
  expect_scores(scores_of(source, "first", find_importance("l1")), l1);
  expect_scores(scores_of(source, "first", find_importance("l2")), l2);
  expect_scores(scores_of(source, "first", find_importance("lp"), {.p = 3}), l3);
  EXPECT_THROW(scores_of(source, "first", find_importance("lp"), {.p = 0}), std::invalid_argument);
}

TEST(Importance, LampComparesWithAllThatAreNotSmaller) {
  const auto source = analyse(two_linear_layers());
  const auto weight = tensor_of(source.network, "first.weight");
  std::vector<double> squares, expected;
  for (int64_t c = 0; c < 4; ++c) squares.push_back(squared_distance(weight[c], at::zeros({3}, at::kDouble)));
  for (const double square : squares) {
    double rest = 0;
    for (const double other : squares) rest += other >= square ? other : 0;
    expected.push_back(square / rest);
  }
  expect_scores(scores_of(source, "first", find_importance("lamp")), expected);
}

TEST(Importance, FpgmIsTheSumOfDistances) {
  const auto source = analyse(normalized_convolution());
  const auto weight = tensor_of(source.network, "conv.weight");
  std::vector<double> expected(4, 0);
  for (int64_t c = 0; c < 4; ++c)
    for (int64_t d = 0; d < 4; ++d) expected[c] += std::sqrt(squared_distance(weight[c], weight[d]));
  expect_scores(scores_of(source, "conv", find_importance("fpgm")), expected);
}

TEST(Importance, BatchNormIsTheMagnitudeOfItsScale) {
  auto network = normalized_convolution();
  tensor_of(network, "norm.weight").copy_(at::tensor({0.5, -2.0, 0.0, 1.0}, at::kDouble));
  const auto source = analyse(network);
  expect_scores(scores_of(source, "conv", find_importance("batch_norm")), {0.5, 2, 0, 1});
  try {
    scores_of(analyse(two_linear_layers()), "first", find_importance("batch_norm"));
    ADD_FAILURE() << "a group without a batch norm was scored";
  } catch (const std::invalid_argument& error) {
    EXPECT_THAT(error.what(),
                testing::HasSubstr("Group 'first': importance 'batch_norm' requires a batch norm"));
  }
}

TEST(Importance, ActivationIsTheMeanOverTheProducersOutputs) {
  const auto source = analyse(normalized_convolution());
  const auto& network = source.network;
  const auto inputs = at::randn({5, 2, 3, 3}, at::kDouble);
  const auto convolved =
      at::conv2d(inputs, tensor_of(network, "conv.weight"), tensor_of(network, "conv.bias"));
  const auto column = [&](const char* name) { return tensor_of(network, name).view({1, 4, 1, 1}); };
  const auto normalized = (convolved - column("norm.running_mean")) /
                              (column("norm.running_var") + 1e-5).sqrt() * column("norm.weight") +
                          column("norm.bias");
  const ImportanceOptions options{.calibration = batches_of(inputs, {2, 3})};
  const auto magnitude = (convolved.abs().mean({0, 2, 3}) + normalized.abs().mean({0, 2, 3})) / 2;
  EXPECT_LT((scores_of(source, "conv", find_importance("activation"), options) - magnitude)
                .abs()
                .max()
                .item<double>(),
            kScoreRounding);
  const auto rms =
      (convolved.square().mean({0, 2, 3}).sqrt() + normalized.square().mean({0, 2, 3}).sqrt()) / 2;
  EXPECT_LT((scores_of(source, "conv", find_importance("activation_rms"), options) - rms)
                .abs()
                .max()
                .item<double>(),
            kScoreRounding);
}

/// Both by the formulas of their papers, for y = V h: |V| times the norm of h, V² times its variance.
TEST(Importance, ScoresOfConsumersAreOfWhatTheyReadTimesTheirWeights) {
  const auto source = analyse(two_linear_layers());
  const auto inputs = at::randn({7, 3}, at::kDouble) + 1;
  const auto hidden = at::mm(inputs, tensor_of(source.network, "first.weight").t());
  const auto weights = tensor_of(source.network, "second.weight");  // [1, 4]
  const ImportanceOptions options{.calibration = batches_of(inputs, {3, 4})};
  const auto norms = (weights.abs() * (hidden.square().mean({0})).sqrt()).sum({0});
  EXPECT_LT(
      (scores_of(source, "first", find_importance("wanda"), options) - norms).abs().max().item<double>(),
      kScoreRounding);
  const auto fluctuations = weights.square().sum({0}) * hidden.var({0}, /*unbiased=*/false);
  EXPECT_LT((scores_of(source, "first", find_importance("fluctuation"), options) - fluctuations)
                .abs()
                .max()
                .item<double>(),
            kScoreRounding);
}

TEST(Importance, ActivationFollowsATransposedWeight) {
  NetworkBuilder b(6);
  const auto x = b.input("x", {2, 3});
  const auto transposed = b.call("aten::t", "", {b.parameter("first.weight", {4, 3})});
  const auto hidden = b.call("aten::mm", "", {x, transposed});
  const auto source =
      analyse(b.finish(b.call("aten::linear", "", {hidden, b.parameter("second.weight", {1, 4})})));
  const auto inputs = at::randn({2, 3}, at::kDouble);
  const auto expected = at::mm(inputs, tensor_of(source.network, "first.weight").t()).abs().mean({0});
  const auto scores =
      scores_of(source, "first", find_importance("activation"), {.calibration = batches_of(inputs, {2})});
  EXPECT_LT((scores - expected).abs().max().item<double>(), kScoreRounding);
}

/// Of y = Σ_c v_c h_c with h = w x: dy/dw_ci = v_c x_i, so Σ_i w_ci dy/dw_ci = v_c h_c.
TEST(Importance, TaylorOfALinearNetworkIsItsContributionToTheLoss) {
  const auto source = analyse(two_linear_layers());
  const auto inputs = at::randn({5, 3}, at::kDouble);
  const auto hidden = at::mm(inputs, tensor_of(source.network, "first.weight").t());
  const auto contribution = hidden * tensor_of(source.network, "second.weight");  // [5, 4]
  const auto expected = contribution.mean({0}).abs();
  for (const auto members : {CountedMembers::producing, CountedMembers::all}) {  // v·dy/dv is v h again
    const auto scores = scores_of(source, "first", find_importance("taylor"),
                                  {.members = members, .calibration = batches_of(inputs, {2, 2, 1})});
    EXPECT_LT((scores - expected).abs().max().item<double>(), kScoreRounding);
  }
}

TEST(Importance, HessianIsTheMeanSquaredGradientOfSingleSamples) {
  const auto source = analyse(two_linear_layers());
  const auto inputs = at::randn({5, 3}, at::kDouble);
  const auto first = tensor_of(source.network, "first.weight");
  const auto second = tensor_of(source.network, "second.weight")[0];
  std::vector<double> expected(4, 0);
  for (int64_t c = 0; c < 4; ++c)
    for (int64_t s = 0; s < 5; ++s)
      for (int64_t i = 0; i < 3; ++i) {
        const double gradient = second[c].item<double>() * inputs[s][i].item<double>();
        const double weight = first[c][i].item<double>();
        expected[c] += weight * weight * gradient * gradient / 5;
      }
  for (const auto& sizes : std::vector<std::vector<int64_t>>{{5}, {2, 3}, {1, 1, 1, 1, 1}})
    expect_scores(
        scores_of(source, "first", find_importance("hessian"), {.calibration = batches_of(inputs, sizes)}),
        expected);
  EXPECT_FALSE(first.requires_grad());  // the source is as it was
}

TEST(Importance, ThatMeasuresNeedsBatchesAndALoss) {
  const auto source = analyse(two_linear_layers());
  EXPECT_THROW(scores_of(source, "first", find_importance("activation")), std::invalid_argument);
  Calibration without_loss = batches_of(at::ones({1, 3}, at::kDouble), {1});
  without_loss.loss = nullptr;
  EXPECT_THROW(scores_of(source, "first", find_importance("taylor"), {.calibration = without_loss}),
               std::invalid_argument);
  EXPECT_THROW(scores_of(source, "first", find_importance("activation"),
                         {.calibration = batches_of(at::ones({0, 3}, at::kDouble), {})}),
               std::invalid_argument);
}

TEST(Importance, RandomIsAFunctionOfTheSeed) {
  const auto source = analyse(two_linear_layers());
  const auto& random = find_importance("random");
  EXPECT_TRUE(at::equal(scores_of(source, "first", random, {.seed = 3}),
                        scores_of(source, "first", random, {.seed = 3})));
  EXPECT_FALSE(at::equal(scores_of(source, "first", random, {.seed = 3}),
                         scores_of(source, "first", random, {.seed = 4})));
}

TEST(Importance, MayBeTheUsersOwn) {
  const auto source = analyse(two_linear_layers());
  const Importance last{.name = "last", .scores = [](const ScoredGroup& group) -> std::vector<at::Tensor> {
                          return {at::arange(group.group().width)};
                        }};
  expect_scores(scores_of(source, "first", last), {0, 1, 2, 3});
  const Importance wrong{.name = "wrong", .scores = [](const ScoredGroup&) -> std::vector<at::Tensor> {
                           return {at::ones({7})};
                         }};
  EXPECT_THROW(scores_of(source, "first", wrong), std::invalid_argument);
  const Importance infinite{.name = "infinite", .scores = [](const ScoredGroup&) -> std::vector<at::Tensor> {
                              return {at::ones({4}) / 0};
                            }};
  EXPECT_THROW(scores_of(source, "first", infinite), std::invalid_argument);
  EXPECT_THROW(find_importance("l3"), std::invalid_argument);
}

TEST(Importance, CombinesMembersAsItIsTold) {
  const auto source = analyse(two_producers());
  const auto group = source.groups.groups[source.groups.find("left")];
  ASSERT_EQ(group.members.size(), 3U);
  std::vector<double> mean, max, sum, product, all;
  for (int64_t c = 0; c < 4; ++c) {
    const auto norm = [&](const char* name, int64_t axis) {
      return std::sqrt(squared_distance(tensor_of(source.network, name).select(axis, c),
                                        at::zeros({axis == 0 ? 3 : 2}, at::kDouble)));
    };
    const double left = norm("left.weight", 0), right = norm("right.weight", 0);
    mean.push_back((left + right) / 2);
    max.push_back(std::max(left, right));
    sum.push_back(left + right);
    product.push_back(left * right);
    all.push_back(left + right + norm("read.weight", 1));
  }
  const auto scores = [&](ImportanceOptions options) {
    return scores_of(source, "left", find_importance("l2"), options);
  };
  expect_scores(scores({}), mean);
  expect_scores(scores({.combine = "max"}), max);
  expect_scores(scores({.combine = "sum"}), sum);
  expect_scores(scores({.combine = "product"}), product);
  expect_scores(scores({.members = CountedMembers::all, .combine = "sum"}), all);
  EXPECT_THROW(scores({.combine = "median"}), std::invalid_argument);
}

TEST(ScoreScale, PutsScoresOnTheScaleOfItsName) {
  const auto scores = at::tensor({1.0, 2.0, 5.0, 0.0}, at::kDouble);
  const auto scaled = [&](const char* name) { return find_score_scale(name).normalize(scores); };
  expect_scores(scaled("none"), {1, 2, 5, 0});
  expect_scores(scaled("sum"), {0.125, 0.25, 0.625, 0});
  expect_scores(scaled("mean"), {0.5, 1, 2.5, 0});
  expect_scores(scaled("max"), {0.2, 0.4, 1, 0});
  const double deviation = std::sqrt(3.5);  // of -1, 0, 3, -2
  expect_scores(scaled("gaussian"), {-1 / deviation, 0, 3 / deviation, -2 / deviation});
  for (const auto& scale : score_scales())
    expect_scores(scale.normalize(at::zeros({3}, at::kDouble)), {0, 0, 0});
  EXPECT_THROW(find_score_scale("medain"), std::invalid_argument);
}

TEST(Importance, KeepsTheLargestInAscendingOrder) {
  const auto scores = at::tensor({1.0, 5.0, 5.0, 0.0, 7.0}, at::kDouble);
  EXPECT_EQ(most_important(scores, 3), (std::vector<int64_t>{1, 2, 4}));
  EXPECT_EQ(most_important(scores, 2), (std::vector<int64_t>{1, 4}));
  EXPECT_THROW(most_important(scores, 0), std::invalid_argument);
  EXPECT_THROW(most_important(scores, 6), std::invalid_argument);
}

}  // namespace
}  // namespace inn
