#include "inn/quadrature/bayesian.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "finite_difference.h"
#include "inn/grid/gauss_legendre.h"
#include "inn/grid/grid.h"
#include "inn/quadrature/integrate.h"

namespace inn {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;
using PriorMean = BayesianOptions::Mean;

// The jitter of 1e-11 moves weights and variances by about as much, times the size of the weights of the
// rule.
constexpr double jitter_tolerance = 1e-9;

const PriorMean prior_means[] = {PriorMean::zero, PriorMean::constant};

at::Tensor scattered(int64_t count, int64_t dimensions) {
  return 0.05 + 0.9 * sobol_points(count, dimensions, 4);
}

/// E(∫f − Σ w_i f(x_i))² for functions of the kernel.
double expected_square(const ProductKernel& kernel, const at::Tensor& nodes, const at::Tensor& weights) {
  return (kernel.double_mean() - 2 * (weights * kernel.mean(nodes)).sum() +
          (weights * at::mv(kernel.matrix(nodes, nodes), weights)).sum())
      .item<double>();
}

class OfKernel : public ::testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Bayesian, OfKernel, ::testing::ValuesIn(covariance_kernel_names()),
                         [](const auto& info) { return info.param; });

TEST_P(OfKernel, IntegratesWhatItsKernelSpansExactly) {
  for (const int64_t d : {1, 3}) {
    const ProductKernel kernel(GetParam(), std::vector<double>(static_cast<size_t>(d), 0.4));
    const auto nodes = scattered(11, d), c = at::cos(at::arange(11, at::kDouble) * 1.9);
    const auto values = at::mv(kernel.matrix(nodes, nodes), c);
    const double exact = (c * kernel.mean(nodes)).sum().item<double>();
    const BayesianQuadrature rule(kernel, nodes, {.mean = PriorMean::zero});
    EXPECT_NEAR(rule.mean(values).item<double>(), exact, jitter_tolerance) << d;
    // With the constant unknown: the span of kernels whose coefficients sum to 0, and constants.
    const auto balanced = c - c.mean();
    const BayesianQuadrature with_constant(kernel, nodes);
    EXPECT_NEAR(with_constant.mean(at::mv(kernel.matrix(nodes, nodes), balanced) + 7).item<double>(),
                (balanced * kernel.mean(nodes)).sum().item<double>() + 7, jitter_tolerance)
        << d;
    EXPECT_NEAR(with_constant.weights().sum().item<double>(), 1, 1e-13) << d;
  }
}

TEST_P(OfKernel, HasTheVarianceOfItsErrorAndNoWeightsHaveLess) {
  for (const int64_t d : {1, 2}) {
    for (const auto mean : prior_means) {
      const ProductKernel kernel(GetParam(), std::vector<double>(static_cast<size_t>(d), 0.3));
      const BayesianQuadrature rule(kernel, scattered(9, d), {.mean = mean});
      const double variance = rule.variance().item<double>();
      EXPECT_GE(variance, 0);
      // The jitter counts as noise of the values.
      const double noise =
          (kernel_jitter * kernel.diagonal(rule.nodes()).mean() * rule.weights().square().sum())
              .item<double>();
      EXPECT_NEAR(expected_square(kernel, rule.nodes(), rule.weights()) + noise, variance, 1e-12);
      const auto generator = at::detail::createCPUGenerator(6);
      for (int trial = 0; trial < 10; ++trial) {
        auto move = 1e-2 * at::randn({9}, generator, at::TensorOptions(at::kDouble));
        if (mean == PriorMean::constant) move -= move.mean();
        EXPECT_GT(expected_square(kernel, rule.nodes(), rule.weights() + move), variance) << trial;
      }
    }
  }
}

TEST_P(OfKernel, GradientsInTheNodesMatchFiniteDifferences) {
  for (const int64_t d : {1, 2}) {
    for (const auto mean : prior_means) {
      const ProductKernel kernel(GetParam(), std::vector<double>(static_cast<size_t>(d), 0.2));
      const auto of_nodes = [&](const std::vector<at::Tensor>& in) {
        const BayesianQuadrature rule(kernel, in[0], {.mean = mean});
        return at::cat({rule.weights(), rule.variance().view({1}), rule.mean(in[1]).view({1}),
                        rule.estimate(in[1]).error.view({1})});
      };
      test::expect_gradients(of_nodes, {scattered(5, d), at::cos(at::arange(5, at::kDouble))});
    }
  }
}

TEST(BayesianQuadrature, OfBrownianMotionIsTheTrapezoidOfItsNodes) {
  const auto nodes = at::tensor({0.1, 0.35, 0.4, 0.9}, at::kDouble);
  const BayesianQuadrature from_zero(ProductKernel("brownian", {1}), nodes, {.mean = PriorMean::zero});
  // Straight lines through (0, 0) and the nodes, constant behind the last.
  const auto weights = at::tensor({0.175, 0.15, 0.275, 0.35}, at::kDouble);
  EXPECT_LE((from_zero.weights() - weights).abs().max().item<double>(), jitter_tolerance);
  // A bridge over h leaves h³/12, a free end of length h leaves h³/3.
  const double bridges = (0.001 + 0.015625 + 0.000125 + 0.125) / 12;
  EXPECT_NEAR(from_zero.variance().item<double>(), bridges + 0.001 / 3, jitter_tolerance);

  for (const auto& points : {nodes, uniform_points(7), at::tensor({0.3}, at::kDouble)}) {
    const BayesianQuadrature free(ProductKernel("brownian", {1}), points);
    EXPECT_LE((free.weights() - quadrature_weights(find_quadrature("trapezoid"), points))
                  .abs()
                  .max()
                  .item<double>(),
              jitter_tolerance);
  }
  const BayesianQuadrature free(ProductKernel("brownian", {2}), nodes);
  const double inner = (0.015625 + 0.000125 + 0.125) / 12;
  EXPECT_NEAR(free.variance().item<double>(), (inner + 0.002 / 3) / 2, jitter_tolerance);
}

TEST(BayesianQuadrature, ANodeWhereBrownianMotionIsZeroWeighsNothing) {
  const BayesianQuadrature rule(ProductKernel("brownian", {1}), at::tensor({0.0, 0.5}, at::kDouble),
                                {.mean = PriorMean::zero});
  EXPECT_NEAR(rule.weights()[0].item<double>(), 0, jitter_tolerance);
  EXPECT_NEAR(rule.weights()[1].item<double>(), 0.75, jitter_tolerance);
}

TEST(BayesianQuadrature, OnAProductOfNodesIsTheProductOfItsAxes) {
  const auto a = at::tensor({0.2, 0.5, 0.9}, at::kDouble), b = at::tensor({0.1, 0.7}, at::kDouble);
  const BayesianOptions zero{.mean = PriorMean::zero};
  const BayesianQuadrature first(ProductKernel("matern32", {0.3}), a, zero);
  const BayesianQuadrature second(ProductKernel("matern32", {0.6}), b, zero);
  const BayesianQuadrature both(ProductKernel("matern32", {0.3, 0.6}), tensor_product({a, b}), zero);
  EXPECT_LE(
      (both.weights() - at::outer(first.weights(), second.weights()).flatten()).abs().max().item<double>(),
      jitter_tolerance);
}

TEST(BayesianQuadrature, VarianceFallsWithEveryNodeToZeroAndNeverBelow) {
  for (const auto& name : covariance_kernel_names()) {
    double last = ProductKernel(name, {0.5}).double_mean();
    for (int64_t n = 1; n <= 300; n = n * 3 / 2 + 1) {
      const BayesianQuadrature rule(ProductKernel(name, {0.5}), (at::arange(n, at::kDouble) + 0.5) / n,
                                    {.mean = PriorMean::zero});
      const double variance = rule.variance().item<double>();
      EXPECT_GE(variance, 0) << name << n;
      EXPECT_LE(variance, last + 1e-12) << name << n;
      last = variance;
    }
    EXPECT_LT(last, 1e-5) << name;
  }
}

TEST(BayesianQuadrature, ErrorCoversTheIntegralsOfFunctionsOfItsKernel) {
  const int64_t n = 20, draws = 1000;
  for (const auto mean : prior_means) {
    const ProductKernel kernel("matern32", {0.2});
    const auto nodes = scattered(n, 1), z = kernel.mean(nodes).unsqueeze(1);
    const BayesianQuadrature rule(kernel, nodes, {.mean = mean});
    // Values at the nodes and the integral together are normal; a scale and a constant that the rule must
    // find.
    const auto joint = at::cat({at::cat({kernel.matrix(nodes, nodes), z}, 1),
                                at::cat({z.t(), at::full({1, 1}, kernel.double_mean(), at::kDouble)}, 1)});
    const auto generator = at::detail::createCPUGenerator(8);
    const auto drawn = 5 * at::matmul(at::linalg_cholesky(joint),
                                      at::randn({n + 1, draws}, generator, at::TensorOptions(at::kDouble))) +
                       (mean == PriorMean::constant ? 40 : 0);
    const auto [value, error] = rule.estimate(drawn.narrow(0, 0, n));
    EXPECT_EQ(value.sizes(), (std::vector<int64_t>{draws}));
    const double covered = ((value - drawn[n]).abs() <= 2 * error).to(at::kDouble).mean().item<double>();
    // Two deviations of Student's distribution with 19 or 20 degrees of freedom: 94 %, ± 0.8 % by 1000 draws.
    EXPECT_NEAR(covered, 0.94, 0.025);
  }
}

TEST(BayesianQuadrature, TakesFloat32NodesAndValuesOfManyFunctions) {
  const BayesianQuadrature rule(ProductKernel("rbf", {0.3}), uniform_points(6).to(at::kFloat));
  EXPECT_EQ(rule.weights().scalar_type(), at::kDouble);
  const auto values = at::ones({6, 2, 3}, at::kFloat);
  EXPECT_EQ(rule.mean(values).scalar_type(), at::kFloat);
  EXPECT_EQ(rule.mean(values).sizes(), (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(rule.estimate(values).error.sizes(), (std::vector<int64_t>{2, 3}));
  EXPECT_LE(rule.estimate(values).error.max().item<float>(), 1e-6f);  // a constant leaves nothing unknown
}

TEST(BayesianQuadrature, RefusesWhatItCantDo) {
  const auto text = [](const char* part) { return ThrowsMessage<std::invalid_argument>(HasSubstr(part)); };
  const auto made = [](const at::Tensor& nodes, BayesianOptions options = {}, const char* kernel = "rbf") {
    return [=] { BayesianQuadrature(ProductKernel(kernel, {0.5}), nodes, options); };
  };
  const auto points = [](std::vector<double> values) { return at::tensor(values, at::kDouble); };
  EXPECT_THAT(made(points({0.5, 0.1, 0.5})),
              text("nodes 0 and 2 coincide: the kernel matrix is not positive definite."));
  EXPECT_THAT(made(points({0, 1.5})), text("must lie in [0, 1]^1 but their coordinates go from 0 to 1.5."));
  EXPECT_THAT(made(points({-0.2, 1})), text("go from -0.2 to 1."));
  EXPECT_THAT(made(points({})), text("must be float32 or float64 points [n ≥ 1, 1] or [n]"));
  EXPECT_THAT(made(at::rand({3, 2}, at::kDouble)), text("[n ≥ 1, 1]"));
  EXPECT_THAT(made(points({0.5, std::nan("")})), text("must lie in"));
  EXPECT_THAT(made(points({0.5}), {.jitter = -1}), text("jitter must be at least 0 but is -1."));
  EXPECT_THAT(made(uniform_points(64), {.jitter = 0}), text("is not positive definite at node"));
  EXPECT_THAT(made(uniform_points(20000)), text("at most 16384 nodes but got 20000."));
  const BayesianQuadrature rule(ProductKernel("rbf", {0.5}), points({0.5}));
  EXPECT_THAT([&] { rule.mean(at::ones({2})); }, text("one floating point value for each of 1 nodes"));
  EXPECT_THAT([&] { rule.estimate(at::ones({1})); },
              text("the error cannot be estimated from a single node"));
}

}  // namespace
}  // namespace inn
