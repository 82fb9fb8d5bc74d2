// Nodes against all subsets, and against the residuals of plain least squares.

#include "inn/data_quadrature/nodes.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace inn {
namespace {

// The ridge of the kernel, 1e-6 of its mean, seen in errors relative to 1.
constexpr double kRidgeEffect = 1e-4;

struct Samples {
  at::Tensor a;  // [n, samples]
  at::Tensor w;  // [outputs, n]
  ConsumerKernel kernel() const { return {at::mm(a, a.t()) / a.size(1), at::mm(w.t(), w)}; }
};

/// Channels that are mixtures of a few, of different strengths.
Samples random_samples(int64_t n, uint64_t seed) {
  at::manual_seed(seed);
  const at::Tensor mix = at::randn({n, n}, at::kDouble) * at::logspace(0, -1, n, 10, at::kDouble);
  return {at::mm(mix, at::randn({n, 200}, at::kDouble)), at::randn({4, n}, at::kDouble)};
}

/// The relative error of W·a computed from the channels `nodes`, by least squares of all channels on those.
double by_least_squares(const Samples& s, const std::vector<int64_t>& nodes) {
  const at::Tensor kept = s.a.index_select(0, at::tensor(nodes));
  const at::Tensor mixed = at::mm(s.a, at::mm(at::linalg_pinv(kept), kept));
  return (at::mm(s.w, s.a - mixed).square().sum() / at::mm(s.w, s.a).square().sum()).item<double>();
}

std::vector<std::vector<int64_t>> subsets(int64_t n, int64_t count) {
  std::vector<std::vector<int64_t>> all;
  std::vector<bool> mask(static_cast<size_t>(n), false);
  std::fill(mask.begin(), mask.begin() + count, true);
  do {
    all.emplace_back();
    for (int64_t i = 0; i < n; ++i)
      if (mask[static_cast<size_t>(i)]) all.back().push_back(i);
  } while (std::prev_permutation(mask.begin(), mask.end()));
  return all;
}

TEST(Nodes, TheErrorIsThatOfLeastSquares) {
  const Samples s = random_samples(7, 1);
  for (const auto& nodes : subsets(7, 3))
    EXPECT_NEAR(node_error({s.kernel()}, nodes), by_least_squares(s, nodes), kRidgeEffect);
}

TEST(Nodes, TheErrorOfWeightsIsThatOnOtherSamples) {
  const Samples s = random_samples(7, 1);
  Samples other = random_samples(7, 1);
  other.a = other.a + at::randn_like(other.a);
  const std::vector<int64_t> nodes{0, 2, 5};
  const AxisMap weights = kernel_weights({s.kernel()}, nodes, 0.1);
  const at::Tensor mixed = at::mm(weights.to_dense().t(), other.a.index_select(0, at::tensor(nodes)));
  const double expected =
      (at::mm(s.w, other.a - mixed).square().sum() / at::mm(s.w, other.a).square().sum()).item<double>();
  EXPECT_NEAR(weights_error({other.kernel()}, nodes, weights), expected, 1e-9);
}

TEST(Nodes, OfFewSamplesAreBetterWithAValidatedRidge) {
  double plain = 0, validated = 0;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const Samples all = random_samples(12, seed);
    const auto part = [&](int64_t first, int64_t count) {
      return Samples{all.a.narrow(1, first, count), all.w};
    };
    const Samples few = part(0, 14), held = part(14, 8), many = part(22, 178);
    const auto found = choose_validated({few.kernel()}, {held.kernel()}, 6, {}, {1e-6, 3e-2, 3e-1});
    const auto without = choose_nodes({few.kernel()}, 6);
    plain += weights_error({many.kernel()}, without, kernel_weights({few.kernel()}, without));
    validated += weights_error({many.kernel()}, found.nodes, found.weights);
    EXPECT_NEAR(found.error, weights_error({held.kernel()}, found.nodes, found.weights), 1e-12);
  }
  EXPECT_LT(validated, 0.95 * plain);
}

TEST(Nodes, AreNearlyTheBestOfAllSubsets) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const Samples s = random_samples(8, seed);
    double best = 1, mean = 0;
    for (const auto& nodes : subsets(8, 4)) {
      const double error = by_least_squares(s, nodes);
      best = std::min(best, error);
      mean += error / 70;
    }
    const double found = by_least_squares(s, choose_nodes({s.kernel()}, 4));
    // Greedy with exchanges is no search of all subsets: most of the way from a mean one to the best.
    EXPECT_LE(found - best, 0.15 * (mean - best)) << "seed " << seed;
  }
}

TEST(Nodes, ExchangesNeverRaiseTheError) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const auto kernel = random_samples(9, seed).kernel();
    for (const auto choice : {NodeChoice::greedy, NodeChoice::backward, NodeChoice::best}) {
      const auto before = choose_nodes({kernel}, 3, {.choice = choice, .exchanges = 0});
      const auto after = choose_nodes({kernel}, 3, {.choice = choice});
      EXPECT_LE(node_error({kernel}, after), node_error({kernel}, before) * (1 + 1e-9));
    }
  }
}

TEST(Nodes, PivotedCholeskyTakesTheLargestResidual) {
  const Samples s = random_samples(6, 4);
  // The same by projections: each time the channel farthest from the span of those taken.
  std::vector<int64_t> taken;
  at::Tensor left = s.a.clone();
  for (int k = 0; k < 3; ++k) {
    at::Tensor gains = at::zeros({6}, at::kDouble);
    for (int64_t j = 0; j < 6; ++j) {
      const at::Tensor along = left[j] / left[j].norm();
      gains[j] = at::mv(left, along).square().sum();
    }
    taken.push_back(gains.argmax().item<int64_t>());
    const at::Tensor along = left[taken.back()] / left[taken.back()].norm();
    left = left - at::outer(at::mv(left, along), along);
  }
  std::sort(taken.begin(), taken.end());
  EXPECT_EQ(choose_nodes({s.kernel()}, 3, {.choice = NodeChoice::cholesky, .exchanges = 0}), taken);
}

TEST(Nodes, DuplicatedChannelsCostNothing) {
  Samples s = random_samples(5, 5);
  s.a = at::cat({s.a, s.a});
  s.w = at::cat({s.w, s.w}, 1);
  auto nodes = choose_nodes({s.kernel()}, 5);
  EXPECT_LE(node_error({s.kernel()}, nodes), kRidgeEffect);
  for (auto& node : nodes) node %= 5;
  std::sort(nodes.begin(), nodes.end());
  EXPECT_EQ(nodes, (std::vector<int64_t>{0, 1, 2, 3, 4}));
}

TEST(Nodes, KernelWeightsAreLeastSquaresOfAllChannelsOnTheNodes) {
  const Samples s = random_samples(6, 6);
  const std::vector<int64_t> nodes{1, 2, 5};
  const at::Tensor kept = s.a.index_select(0, at::tensor(nodes));
  const at::Tensor expected = at::mm(s.a, at::linalg_pinv(kept)).t();  // a ≈ expectedᵀ·kept
  const at::Tensor found = kernel_weights({s.kernel()}, nodes).to_dense();
  EXPECT_LE((found - expected).abs().max().item<double>(),
            kRidgeEffect * expected.abs().max().item<double>());
}

TEST(Nodes, TheCurveFallsToNothingAndIsWhatEachCountGives) {
  const auto kernel = random_samples(8, 7).kernel();
  for (const auto choice : {NodeChoice::greedy, NodeChoice::backward}) {
    const auto [ranked, curve] = rank_nodes({kernel}, {.choice = choice});
    ASSERT_EQ(curve.size(), 8u);
    ASSERT_EQ(ranked.size(), 8u);
    EXPECT_NEAR(curve.back(), 0, kRidgeEffect);
    for (size_t k = 0; k + 1 < curve.size(); ++k) {
      EXPECT_GE(curve[k], curve[k + 1] - 1e-12);
      const auto nodes =
          choose_nodes({kernel}, static_cast<int64_t>(k) + 1, {.choice = choice, .exchanges = 0});
      EXPECT_NEAR(curve[k], node_error({kernel}, nodes), kRidgeEffect);
      std::vector<int64_t> first(ranked.begin(), ranked.begin() + static_cast<std::ptrdiff_t>(k) + 1);
      std::sort(first.begin(), first.end());
      EXPECT_EQ(first, nodes);
    }
  }
}

TEST(Nodes, SeveralConsumersAddTheirRelativeErrors) {
  const auto first = random_samples(5, 8).kernel(), second = random_samples(5, 9).kernel();
  const ConsumerKernel louder{second.kernel * 100, second.gram * 7};
  const std::vector<int64_t> nodes{0, 3};
  EXPECT_NEAR(node_error({first, louder}, nodes), node_error({first}, nodes) + node_error({second}, nodes),
              1e-9);
}

TEST(Nodes, RefuseCountsThatAreNone) {
  const auto kernel = random_samples(4, 1).kernel();
  EXPECT_THROW(choose_nodes({kernel}, 0), std::invalid_argument);
  EXPECT_THROW(choose_nodes({kernel}, 5), std::invalid_argument);
  EXPECT_THROW(choose_nodes({}, 1), std::invalid_argument);
  EXPECT_THROW(choose_nodes({kernel, random_samples(5, 1).kernel()}, 1), std::invalid_argument);
}

TEST(Nodes, ADeadGroupIsNoError) {
  const ConsumerKernel dead{at::zeros({4, 4}, at::kDouble), at::eye(4, at::kDouble)};
  EXPECT_EQ(choose_nodes({dead}, 2).size(), 2u);
}

}  // namespace
}  // namespace inn
