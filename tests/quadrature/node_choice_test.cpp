#include "inn/quadrature/node_choice.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "inn/grid/grid.h"
#include "inn/quadrature/integrate.h"

namespace inn {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// Variances computed by two factorizations of a matrix of condition up to about 1e6.
constexpr double two_ways_tolerance = 1e-10;

/// The variance of the mean over nodes, by its definition.
double mean_variance(const ProductKernel& kernel, const at::Tensor& nodes) {
  return kernel.double_mean() - 2 * kernel.mean(nodes).mean().item<double>() +
         kernel.matrix(nodes, nodes).mean().item<double>();
}

class ChoiceOfKernel : public ::testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Choice, ChoiceOfKernel, ::testing::ValuesIn(covariance_kernel_names()),
                         [](const auto& info) { return info.param; });

TEST_P(ChoiceOfKernel, EachNodeIsTheBestOfAllCandidates) {
  for (const auto mean : {BayesianOptions::Mean::zero, BayesianOptions::Mean::constant}) {
    const ProductKernel kernel(GetParam(), {0.3, 0.5});
    const auto candidates = 0.02 + 0.96 * sobol_points(40, 2, 7);
    const BayesianOptions options{.mean = mean};
    const auto choice = choose_bayesian_nodes(kernel, candidates, 6, options);
    for (int64_t t = 1; t <= 6; ++t) {
      const auto before = choice.nodes.narrow(0, 0, t - 1);
      double best = std::numeric_limits<double>::infinity();
      for (int64_t j = 0; j < 40; ++j) {
        if ((choice.indices.narrow(0, 0, t - 1) == j).any().item<bool>()) continue;
        const auto nodes = at::cat({before, candidates.narrow(0, j, 1)});
        best = std::min(best, BayesianQuadrature(kernel, nodes, options).variance().item<double>());
      }
      const double got = choice.variances[t - 1].item<double>();
      EXPECT_NEAR(got, best, two_ways_tolerance) << t;
      EXPECT_NEAR(got,
                  BayesianQuadrature(kernel, choice.nodes.narrow(0, 0, t), options).variance().item<double>(),
                  two_ways_tolerance)
          << t;
    }
  }
}

TEST_P(ChoiceOfKernel, VarianceFallsMonotonically) {
  const ProductKernel kernel(GetParam(), {0.1});
  const auto choice = choose_bayesian_nodes(kernel, uniform_points(300), 15);
  EXPECT_TRUE((choice.variances.diff() < 0).all().item<bool>());
  EXPECT_GE(choice.variances.min().item<double>(), 0);
  EXPECT_TRUE(at::equal(choice.nodes.flatten(), uniform_points(300).index_select(0, choice.indices)));
}

TEST_P(ChoiceOfKernel, HerdingTakesTheBestOfAllCandidatesForEqualWeights) {
  const ProductKernel kernel(GetParam(), {0.3, 0.5});
  const auto candidates = sobol_points(40, 2, 7);
  const auto choice = herd_nodes(kernel, candidates, 8);
  for (int64_t t = 1; t <= 8; ++t) {
    const auto before = choice.nodes.narrow(0, 0, t - 1);
    double best = std::numeric_limits<double>::infinity();
    for (int64_t j = 0; j < 40; ++j) {
      if ((choice.indices.narrow(0, 0, t - 1) == j).any().item<bool>()) continue;
      best = std::min(best, mean_variance(kernel, at::cat({before, candidates.narrow(0, j, 1)})));
    }
    const double got = choice.variances[t - 1].item<double>();
    EXPECT_NEAR(got, best, two_ways_tolerance) << t;
    EXPECT_NEAR(got, mean_variance(kernel, choice.nodes.narrow(0, 0, t)), two_ways_tolerance) << t;
  }
}

TEST(HerdNodes, ConvergeFasterThanRandomPoints) {
  const ProductKernel kernel("matern52", {0.5, 0.5});
  const auto choice = herd_nodes(kernel, sobol_points(4096, 2, 3), 256);
  // Random points leave (k(x, x) − ∫∫k)/t.
  for (const int64_t t : {16, 64, 256})
    EXPECT_LT(choice.variances[t - 1].item<double>(),
              0.1 * (1 - kernel.double_mean()) / static_cast<double>(t));
  const double order = std::log2((choice.variances[15] / choice.variances[255]).item<double>()) / 4;
  EXPECT_GT(order, 1.6);  // of the variance: near 2, where random points have 1
}

TEST(ChooseNodes, AreBetterThanTheFirstPointsOfTheSobolSequence) {
  const ProductKernel kernel("matern32", {0.4, 0.4, 0.4});
  const auto candidates = sobol_points(2000, 3, 1);
  const auto choice = choose_bayesian_nodes(kernel, candidates, 32);
  EXPECT_LT(choice.variances[31].item<double>(),
            BayesianQuadrature(kernel, candidates.narrow(0, 0, 32)).variance().item<double>());
}

TEST(ChooseNodes, RefusesWhatItCantChoose) {
  const auto text = [](const char* part) { return ThrowsMessage<std::invalid_argument>(HasSubstr(part)); };
  const ProductKernel kernel("rbf", {1});
  EXPECT_THAT([&] { choose_bayesian_nodes(kernel, uniform_points(5), 6); }, text("must be in [1, 5]"));
  EXPECT_THAT([&] { choose_bayesian_nodes(kernel, uniform_points(5), 0); }, text("but is 0."));
  EXPECT_THAT([&] { herd_nodes(kernel, uniform_points(5), 6); }, text("must be in [1, 5]"));
  EXPECT_THAT([&] { choose_bayesian_nodes(kernel, 2 * uniform_points(5), 2); },
              text("Choice of nodes: candidates: must lie in"));
  EXPECT_THAT([&] { choose_bayesian_nodes(kernel, uniform_points(5), 2, {.jitter = -1}); }, text("jitter"));
  // All alike but one.
  const auto twins = at::tensor({0.5, 0.5, 0.5, 0.9}, at::kDouble);
  EXPECT_THAT([&] { choose_bayesian_nodes(kernel, twins, 3); }, text("distinguishes only 2 of 4 candidates"));
  EXPECT_THAT([&] { choose_bayesian_nodes(kernel, uniform_points(500), 100); }, text("of 500 candidates"));
}

}  // namespace
}  // namespace inn
