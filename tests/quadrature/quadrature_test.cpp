#include "inn/quadrature/quadrature.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "finite_difference.h"
#include "inn/grid/grid.h"

namespace inn {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// Sums of at most 200 products of numbers of order 1 in float64.
constexpr double double_tolerance = 1e-14;

at::Tensor doubles(std::vector<double> values) { return at::tensor(values, at::kDouble); }

double distance(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

at::Tensor uneven_points(int64_t m) {
  const auto steps = 1.2 + at::cos(at::arange(m - 1, at::kDouble) * 2.3);
  return at::cat({at::zeros({1}, at::kDouble), (steps / steps.sum()).cumsum(0)}).clamp_max(1);
}

/// Returns |the rule on m of its own nodes − the integral|.
double error(const Quadrature& rule, int64_t m, at::Tensor (*f)(const at::Tensor&), double integral) {
  const auto nodes = quadrature_nodes(rule, m);
  return std::abs((quadrature_weights(rule, nodes) * f(nodes)).sum().item<double>() - integral);
}

class OperatorRule : public ::testing::TestWithParam<std::string> {
 protected:
  const Quadrature rule = find_quadrature(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Table, OperatorRule, ::testing::ValuesIn(quadrature_names()), [](const auto& info) {
  auto name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST_P(OperatorRule, WeightsSumToOneOnAnyCountOfPoints) {
  for (const int64_t m : {1, 2, 3, 4, 5, 8, 33, 200}) {
    const auto nodes = quadrature_nodes(rule, m, 3);
    EXPECT_EQ(nodes.sizes(), std::vector<int64_t>{m});
    EXPECT_TRUE(m == 1 || (nodes.diff() > 0).all().item<bool>());
    EXPECT_TRUE((nodes >= 0).logical_and(nodes <= 1).all().item<bool>());
    const auto weights = quadrature_weights(rule, quadrature_nodes(rule, m));
    EXPECT_EQ(weights.scalar_type(), at::kDouble);
    EXPECT_EQ(weights.sizes(), std::vector<int64_t>{m});
    EXPECT_NEAR(weights.sum().item<double>(), 1, double_tolerance) << m;
    if (rule.positive) {
      EXPECT_GT(weights.min().item<double>(), 0) << m;
    }
    if (rule.points == Quadrature::Points::own_nodes) continue;
    // Points that do not reach the ends of the interval, unevenly spaced.
    const auto inner = m == 1 ? doubles({0.2}) : 0.1 + 0.7 * uneven_points(m);
    const auto beyond = quadrature_weights(rule, inner);
    // A smooth kernel extrapolates to the ends by large weights of both signs.
    EXPECT_NEAR(beyond.sum().item<double>(), 1,
                double_tolerance * std::max(1.0, beyond.abs().sum().item<double>()))
        << m;
  }
}

TEST_P(OperatorRule, IntegratesMonomialsUpToItsDegreeAndNoFurther) {
  for (int64_t m = 1; m <= 9; ++m) {
    const auto nodes = quadrature_nodes(rule, m);
    const auto weights = quadrature_weights(rule, nodes);
    const auto off = [&](int64_t power) {
      return std::abs((weights * nodes.pow(power)).sum().item<double>() -
                      1.0 / static_cast<double>(power + 1));
    };
    for (int64_t power = 0; power <= rule.degree(m); ++power)
      EXPECT_LE(off(power), double_tolerance) << "m = " << m << ", power " << power;
    // The first error of Gauss-Legendre, the smallest, is about 16^-m: 1e-11 for m = 9.
    EXPECT_GT(off(rule.degree(m) + 1), 1e-12) << "m = " << m;
  }
}

TEST(Rectangle, ConvergesAtOrderTwoOnMidpointsAndOneOnTheUniformGrid) {
  const auto& rule = find_quadrature("rectangle");
  const double exact = std::exp(1) - 1;
  EXPECT_NEAR(std::log2(error(rule, 64, at::exp, exact) / error(rule, 128, at::exp, exact)), 2, 0.01);
  const auto on_grid = [&](int64_t m) {
    return std::abs(
        (quadrature_weights(rule, uniform_points(m)) * uniform_points(m).exp()).sum().item<double>() - exact);
  };
  EXPECT_NEAR(std::log2(on_grid(128) / on_grid(256)), 1, 0.02);
  EXPECT_TRUE(
      at::equal(quadrature_weights(rule, doubles({0.1, 0.2, 0.9, 1})), doubles({0.25, 0.25, 0.25, 0.25})));
}

struct Order {
  const char* rule;
  int64_t coarse, fine;  // counts of points, the distance being halved (63 to 127 intervals: nearly)
  double smooth, root;   // the order for sin and exp, and for √x
};

// Halving a small distance gives the order but for terms of the next one, below a tenth of it at these
// counts.
constexpr double order_tolerance = 0.1;

TEST(Quadrature, ConvergesAtTheOrdersOfTheory) {
  for (const auto& [name, coarse, fine, smooth, root] :
       {Order{"trapezoid", 65, 129, 2, 1.5}, Order{"simpson", 65, 129, 4, 1.5},
        Order{"simpson", 64, 128, 4, 1.5}, Order{"rectangle", 64, 128, 2, 1.5},
        Order{"gauss-legendre", 64, 128, 0, 3}, Order{"clenshaw-curtis", 65, 129, 0, 3},
        Order{"bayesian:brownian", 64, 128, 2, 1.5}, Order{"bayesian:matern12", 64, 128, 2, 1.5},
        Order{"bayesian:matern32", 64, 128, 3, 1.5}}) {
    SCOPED_TRACE(fmt::format("{}, {} points", name, coarse));
    const auto& rule = find_quadrature(name);
    const auto order = [&, coarse = coarse, fine = fine](at::Tensor (*f)(const at::Tensor&), double exact) {
      return std::log2(error(rule, coarse, f, exact) / error(rule, fine, f, exact));
    };
    EXPECT_NEAR(order(at::sqrt, 2.0 / 3), root, order_tolerance);
    if (smooth > 0) {
      EXPECT_NEAR(order(at::sin, 1 - std::cos(1)), smooth, order_tolerance);
      EXPECT_NEAR(order(at::exp, std::exp(1) - 1), smooth, order_tolerance);
    } else {
      // Analytic functions: faster than any power, to rounding with few points.
      EXPECT_LE(error(rule, 16, at::exp, std::exp(1) - 1), double_tolerance);
      EXPECT_LE(error(rule, 16, at::sin, 1 - std::cos(1)), double_tolerance);
    }
  }
}

TEST(Quadrature, BayesianWithTheUsualKernelConvergesAtNearlyFour) {
  const auto rule = find_quadrature("bayesian");
  EXPECT_EQ(rule.name, "bayesian");
  struct Known {
    at::Tensor (*f)(const at::Tensor&);
    double exact;
  };
  for (const auto& [f, exact] : {Known{at::exp, std::exp(1) - 1}, Known{at::sin, 1 - std::cos(1)}}) {
    const double order = std::log2(error(rule, 32, f, exact) / error(rule, 64, f, exact));
    EXPECT_GT(order, 3.6);
    EXPECT_LT(order, 4.1);
  }
}

TEST(Quadrature, ARuleIsNamedWithItsParameters) {
  const auto rule = find_quadrature("bayesian:rbf,0.25");
  EXPECT_EQ(rule.name, "bayesian:rbf,0.25");
  EXPECT_EQ(find_quadrature("herding:matern12").name, "herding:matern12");
  EXPECT_TRUE(at::equal(quadrature_weights(find_quadrature("bayesian:matern52,0.5"), uniform_points(9)),
                        quadrature_weights(find_quadrature("bayesian"), uniform_points(9))));
  EXPECT_GT(distance(quadrature_weights(find_quadrature("bayesian:matern52,0.1"), uniform_points(9)),
                     quadrature_weights(find_quadrature("bayesian"), uniform_points(9))),
            1e-4);
  const auto text = [](const char* part) { return ThrowsMessage<std::invalid_argument>(HasSubstr(part)); };
  const auto find = [](const char* name) { return [=] { find_quadrature(name); }; };
  EXPECT_THAT(find("trapezoid:2"), text("Quadrature 'trapezoid:2': 'trapezoid' takes no parameters."));
  EXPECT_THAT(find("bayes:rbf"), text("no such rule. Did you mean 'bayesian'"));
  EXPECT_THAT(find("bayesian:"), text("Covariance kernel ''"));
  EXPECT_THAT(find("bayesian:matern42"), text("Did you mean 'matern"));
  EXPECT_THAT(find("bayesian:rbf,"), text("expected bayesian:KERNEL or bayesian:KERNEL,LENGTH."));
  EXPECT_THAT(find("herding:rbf,0.2x"), text("'0.2x' is not a number"));
  EXPECT_THAT(find("bayesian:rbf,0"), text("must be positive and finite but one is 0."));
  EXPECT_THAT(find("bayesian:rbf,-1"), text("but one is -1."));
  EXPECT_THAT(find("bayesian:rbf,inf"), text("but one is inf."));
}

TEST(Trapezoid, IntegratesLinesExactlyOnAnySpacing) {
  const auto points = uneven_points(7);
  const auto weights = quadrature_weights(find_quadrature("trapezoid"), points);
  EXPECT_NEAR((weights * (3 * points - 1)).sum().item<double>(), 0.5, double_tolerance);
  EXPECT_LE(distance(quadrature_weights(find_quadrature("trapezoid"), doubles({0, 0.5, 0.75, 1})),
                     doubles({0.25, 0.375, 0.25, 0.125})),
            double_tolerance);
}

TEST(Simpson, IntegratesParabolasExactlyOnAnySpacingAndCount) {
  for (const int64_t m : {3, 4, 5, 6, 7, 12}) {
    const auto points = uneven_points(m);
    const auto weights = quadrature_weights(find_quadrature("simpson"), points);
    for (int64_t power = 0; power <= 2; ++power)
      EXPECT_NEAR((weights * points.pow(power)).sum().item<double>(), 1.0 / static_cast<double>(power + 1),
                  double_tolerance)
          << m;
  }
}

TEST(Simpson, HasTheKnownWeights) {
  const auto& rule = find_quadrature("simpson");
  EXPECT_LE(distance(quadrature_weights(rule, uniform_points(5)), doubles({1, 4, 2, 4, 1}) / 12),
            double_tolerance);
  // Three points by 1/3, 4/3, 1/3 and the last interval by −1/12, 8/12, 5/12, in steps of 1/3.
  EXPECT_LE(distance(quadrature_weights(rule, uniform_points(4)), doubles({4, 15, 12, 5}) / 36),
            double_tolerance);
  EXPECT_LE(distance(quadrature_weights(rule, uniform_points(2)), doubles({0.5, 0.5})), double_tolerance);
}

TEST(ClenshawCurtis, HasTheKnownWeights) {
  const auto& rule = find_quadrature("clenshaw-curtis");
  EXPECT_LE(distance(quadrature_weights(rule, quadrature_nodes(rule, 3)), doubles({1, 4, 1}) / 6),
            double_tolerance);
  EXPECT_LE(distance(quadrature_weights(rule, quadrature_nodes(rule, 5)), doubles({1, 8, 12, 8, 1}) / 30),
            double_tolerance);
}

TEST(Quadrature, HoldsTheFunctionConstantBeyondTheOutermostPoints) {
  const auto points = doubles({0.2, 0.4, 0.8});
  EXPECT_LE(distance(quadrature_weights(find_quadrature("trapezoid"), points), doubles({0.3, 0.3, 0.4})),
            double_tolerance);
  EXPECT_LE(distance(quadrature_weights(find_quadrature("trapezoid"), doubles({0.3})), doubles({1})),
            double_tolerance);
}

TEST(Quadrature, GradientsInThePointsMatchFiniteDifferences) {
  for (const char* name : {"trapezoid", "simpson"}) {
    for (const int64_t m : {2, 3, 4, 5, 8}) {
      SCOPED_TRACE(fmt::format("{}, {} points", name, m));
      const auto weights = [&](const std::vector<at::Tensor>& in) {
        return quadrature_weights(find_quadrature(name), in[0]);
      };
      test::expect_gradients(weights, {0.05 + 0.9 * uneven_points(m)});
    }
  }
}

TEST(Quadrature, GradientsReachThetaOfATrainableGrid) {
  const auto weights = [](const std::vector<at::Tensor>& in) {
    return quadrature_weights(find_quadrature("trapezoid"), TrainableGrid(in[0]).points());
  };
  test::expect_gradients(weights, {at::cos(at::arange(6, at::kDouble))});
}

TEST(Quadrature, RefusesBadPointsAndNames) {
  const auto text = [](const char* part) { return ThrowsMessage<std::invalid_argument>(HasSubstr(part)); };
  const auto weights = [](const char* name, const at::Tensor& points) {
    return [=] { quadrature_weights(find_quadrature(name), points); };
  };
  EXPECT_THAT(weights("simpson", doubles({0, 0.5, 0.5, 1})), text("must increase strictly within [0, 1]"));
  EXPECT_THAT(weights("simpson", doubles({0, 2})), text("they go from 0 to 2."));
  EXPECT_THAT(weights("simpson", doubles({})), text("non-empty"));
  EXPECT_THAT(weights("simpson", doubles({0, std::nan(""), 1})), text("increase strictly"));
  EXPECT_THAT(weights("trapezoid", at::ones({2}, at::kLong)), text("float32 or float64"));
  EXPECT_THAT(weights("gauss-legendre", uniform_points(3)), text("requires its own 3 nodes"));
  EXPECT_THAT([] { quadrature_nodes(find_quadrature("sobol"), 0); }, text("must be at least 1 but got 0."));
  EXPECT_THAT([] { find_quadrature("trapezium"); },
              text("[quadrature] Quadrature 'trapezium': no such rule. Did you mean 'trapezoid'"));
}

}  // namespace
}  // namespace inn
