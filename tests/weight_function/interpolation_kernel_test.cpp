#include "inn/weight_function/interpolation_kernel.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "finite_difference.h"

namespace inn {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// Sums of some products of numbers of order 1 in float64; the B-spline solves a well conditioned system
// (below 3).
constexpr double double_tolerance = 1e-12;

at::Tensor uniform(int64_t count) {
  return count == 1 ? at::full({1}, 0.5, at::kDouble) : at::linspace(0, 1, count, at::kDouble);
}

at::Tensor drawn_points(int64_t count) {
  at::manual_seed(7);
  return std::get<0>(at::rand({count}, at::kDouble).sort());
}

double distance(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

at::Tensor sampled(const InterpolationKernel& kernel, const at::Tensor& control_points,
                   const at::Tensor& points) {
  return interpolation_map(kernel, control_points.size(0), points).apply(control_points, 0);
}

class Kernel : public ::testing::TestWithParam<std::string> {
 protected:
  const InterpolationKernel& kernel = find_kernel(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Table, Kernel, ::testing::ValuesIn(kernel_names()),
                         [](const auto& info) { return info.param; });

TEST_P(Kernel, IsTheIdentityOnTheGridOfItsControlPoints) {
  for (int64_t n : {1, 2, 3, 4, 5, 8, 64, 511}) {
    EXPECT_TRUE(interpolation_map(kernel, n, uniform(n)).is_identity()) << n;
    EXPECT_TRUE(interpolation_map(kernel, n, uniform(n) + 4e-13).is_identity()) << n;
    EXPECT_TRUE(interpolation_map(kernel, n, uniform(n).to(at::kFloat)).is_identity()) << n;
    // As a trainable grid makes them: rounded sums, with a gradient. Taps then, of the identity's values to
    // the bit.
    auto steps = at::full({std::max<int64_t>(n - 1, 1)},
                          1.0 / static_cast<double>(std::max<int64_t>(n - 1, 1)), at::kDouble);
    auto points =
        at::cat({at::zeros({1}, at::kDouble), steps.cumsum(0)}).narrow(0, 0, n).set_requires_grad(true);
    const auto map = interpolation_map(kernel, n, points);
    EXPECT_FALSE(map.is_identity());
    EXPECT_TRUE(map.requires_grad());
    EXPECT_TRUE(at::equal(map.to_dense(), at::eye(n, at::kDouble))) << n;
  }
}

TEST_P(Kernel, GivesEveryControlPointExactly) {
  for (int64_t n : {2, 3, 4, 5, 9}) {
    const auto c = at::randn({n}, at::kDouble);
    // Points between control points keep the map from being a selection.
    const auto points = at::cat({uniform(n), drawn_points(3)});
    EXPECT_TRUE(at::equal(sampled(kernel, c, points).narrow(0, 0, n), c)) << n;
  }
}

TEST_P(Kernel, GivesPolynomialsBackUpToItsDegree) {
  for (int64_t n : {1, 2, 3, 4, 5, 6, 17}) {
    const int64_t degree = std::min<int64_t>(kernel.degree, n - 1);
    for (int64_t power = 0; power <= degree; ++power) {
      const auto points = at::cat({uniform(1), drawn_points(50), at::tensor({0.0, 1.0}, at::kDouble)});
      EXPECT_LE(distance(sampled(kernel, uniform(n).pow(power), points), points.pow(power)), double_tolerance)
          << "n = " << n << ", power " << power;
    }
  }
}

TEST_P(Kernel, IsNotExactOneDegreeAbove) {
  const auto points = drawn_points(50);
  EXPECT_GT(
      distance(sampled(kernel, uniform(9).pow(kernel.degree + 1), points), points.pow(kernel.degree + 1)),
      1e-5);
}

TEST_P(Kernel, HasItsCountOfTapsAndRowsThatSumToOne) {
  for (int64_t n : {1, 2, 3, 4, 5, 12}) {
    const auto map = interpolation_map(kernel, n, drawn_points(40));
    EXPECT_EQ(map.rows(), 40);
    EXPECT_EQ(map.cols(), n);
    EXPECT_LE(distance(map.to_dense().sum(1), at::ones({40}, at::kDouble)), double_tolerance);
    const int64_t most = kernel.taps > 0 ? kernel.taps : n;
    EXPECT_LE(map.to_dense().ne(0).sum(1).max().item<int64_t>(), most);
  }
}

TEST_P(Kernel, ConvergesAtTheOrderOfItsDegree) {
  const auto points = uniform(5003);
  const auto error = [&](int64_t n) {
    return distance(sampled(kernel, at::sin(3 * uniform(n) + 0.2), points), at::sin(3 * points + 0.2));
  };
  // Halving the distance of control points divides the error by 2^order; a fifth of an order is left to the
  // sample of points.
  const double order = std::log2(error(129) / error(257));
  EXPECT_NEAR(order, static_cast<double>(kernel.degree + 1), 0.2);
}

TEST_P(Kernel, IsAsSmoothAsTheTableSaysAndNoSmoother) {
  at::manual_seed(3);
  const auto c = at::randn({9}, at::kDouble);
  const double step = 1e-4;
  // Where the pieces meet: at a control point, for the nearest in the middle between two.
  const double joint = kernel.taps == 1 ? 0.4375 : 0.375;
  // The derivative of some order on one side of the joint, by one-sided differences.
  const auto derivative = [&](int64_t order, double side) {
    std::vector<double> places;
    for (int64_t k = 0; k <= order; ++k)
      places.push_back(joint + side * (1e-9 + step * static_cast<double>(k)));
    auto values = sampled(kernel, c, at::tensor(places, at::kDouble));
    for (int64_t k = 0; k < order; ++k) values = values.diff();
    return values.item<double>() / std::pow(side * step, static_cast<double>(order));
  };
  for (int64_t order = 0; order <= kernel.smoothness + 1; ++order) {
    // One-sided differences err by about step times the next derivative, which is of order 8^(order+1).
    const double error = 20 * step * std::pow(8.0, static_cast<double>(order + 1));
    const double jump = std::abs(derivative(order, 1) - derivative(order, -1));
    if (order <= kernel.smoothness) {
      EXPECT_LE(jump, error) << "derivative " << order;
    } else {
      EXPECT_GT(jump, error) << "derivative " << order;
    }
  }
}

TEST_P(Kernel, GradientsInThePointsMatchFiniteDifferences) {
  for (int64_t n : {1, 2, 3, 4, 6}) {
    const auto c = at::randn({n, 2}, at::kDouble);
    const auto f = [&](const std::vector<at::Tensor>& in) {
      return interpolation_map(kernel, n, in[0]).apply(in[1], 0);
    };
    // No drawn point is so near a control point, or the middle between two, that the step would cross it.
    test::expect_gradients(f, {drawn_points(12), c});
  }
}

TEST_P(Kernel, GradientAtAControlPointIsOneSidedAndFinite) {
  auto points = uniform(5).set_requires_grad(true);
  interpolation_map(kernel, 5, points).apply(at::randn({5}, at::kDouble), 0).sum().backward();
  EXPECT_TRUE(points.grad().isfinite().all().item<bool>());
}

TEST(Cubic, EqualsKeysConvolutionAwayFromTheEnds) {
  const auto u = [](double s) {
    s = std::abs(s);
    if (s < 1) return 1.5 * s * s * s - 2.5 * s * s + 1;
    return s < 2 ? -0.5 * s * s * s + 2.5 * s * s - 4 * s + 2 : 0.0;
  };
  const auto map =
      interpolation_map(find_kernel("cubic"), 11, at::tensor({0.313, 0.55, 0.777}, at::kDouble)).to_dense();
  const double points[] = {0.313, 0.55, 0.777};
  for (int64_t j = 0; j < 3; ++j)
    for (int64_t i = 0; i < 11; ++i)
      EXPECT_NEAR(map[j][i].item<double>(), u(points[j] * 10 - static_cast<double>(i)), double_tolerance);
}

TEST(BSpline, SolvesTheSplineEquations) {
  // Second differences of the map at spacing h/2 on either side satisfy M_{i−1} + 4M_i + M_{i+1} = 6δ²c, M
  // being read off the sampled function itself: on a cell, s(0) − 2s(1/2) + s(1) = (M_i + M_{i+1})/8 exactly,
  // for any cubic.
  const int64_t n = 9;
  const auto c = at::randn({n}, at::kDouble);
  const auto fine = sampled(find_kernel("bspline"), c, at::linspace(0, 1, 4 * (n - 1) + 1, at::kDouble));
  const auto quarter =
      fine.diff().diff() * 16;  // at quarter points j: the second derivative there, exactly for cubics...
  // ...except at a control point, where it averages over both cells; there a line through the same cell's
  // values gives it.
  for (int64_t i = 1; i + 1 < n; ++i) {
    const auto at_quarter = [&](int64_t j) { return quarter[j - 1].item<double>(); };
    const double from_left = 2 * at_quarter(4 * i - 1) - at_quarter(4 * i - 2);
    const double from_right = 2 * at_quarter(4 * i + 1) - at_quarter(4 * i + 2);
    EXPECT_NEAR(from_left, from_right, 1e-10) << "second derivative at control point " << i;
  }
}

/// The spline through c at `points`, its equations solved as one dense system: second derivatives M with
/// M_{i−1} + 4M_i + M_{i+1} = 6(c_{i−1} − 2c_i + c_{i+1}) and no jump of the third one near the ends.
at::Tensor solved_spline(const at::Tensor& c, const at::Tensor& points) {
  const int64_t n = c.size(0);
  const auto system = at::zeros({n, n}, at::kDouble), right = at::zeros_like(c);
  for (int64_t i = 1; i + 1 < n; ++i) {
    system[i].narrow(0, i - 1, 3).copy_(at::tensor({1.0, 4.0, 1.0}));
    right[i] = 6 * (c[i - 1] - 2 * c[i] + c[i + 1]);
  }
  for (const int64_t i : {int64_t{0}, n - 1})
    system[i].narrow(0, i == 0 ? 0 : n - 3, 3).copy_(at::tensor({1.0, -2.0, 1.0}));
  const auto m = at::linalg_solve(system, right);
  const auto x = points * static_cast<double>(n - 1);
  const auto cell = x.floor().clamp(0, n - 2);
  const auto t = (x - cell).unsqueeze(1), s = 1 - t;
  const auto at_left = [&](const at::Tensor& of) { return of.index_select(0, cell.to(at::kLong)); };
  const auto at_right = [&](const at::Tensor& of) { return of.index_select(0, cell.to(at::kLong) + 1); };
  return s * at_left(c) + t * at_right(c) +
         (s * (s * s - 1) * at_left(m) + t * (t * t - 1) * at_right(m)) / 6;
}

TEST(BSpline, EqualsTheDenseSolutionWhereItIsHeldSparse) {
  // Around where the band begins to leave something out, and where the map becomes sparse.
  for (const int64_t n : {4, 54, 55, 56, 57, 60, 223, 224, 400}) {
    at::manual_seed(static_cast<uint64_t>(n));
    const auto c = at::randn({n, 3}, at::kDouble);
    const auto points = at::cat({drawn_points(500), uniform(n).narrow(0, 0, 4), at::ones({1}, at::kDouble)});
    const auto map = interpolation_map(find_kernel("bspline"), n, points);
    EXPECT_EQ(map.kind() == AxisMap::Kind::taps, n >= 224) << n;
    EXPECT_LE(distance(map.apply(c, 0), solved_spline(c, points)), double_tolerance) << n;
  }
}

TEST(BSpline, GradientsOfASparseMapMatchFiniteDifferences) {
  const auto c = at::sin(at::arange(230, at::kDouble));
  const auto value = [&](const std::vector<at::Tensor>& in) {
    return interpolation_map(find_kernel("bspline"), 230, in[0]).apply(c, 0).square().sum();
  };
  test::expect_gradients(value, {at::tensor({0.0013, 0.4127, 0.7, 0.9981}, at::kDouble)});
}

TEST(Nearest, TakesTheRightOneOfTwoAndTheOnlyOne) {
  const auto map =
      interpolation_map(find_kernel("nearest"), 3, at::tensor({0.1, 0.25, 0.6, 0.75, 1.0}, at::kDouble));
  const auto c = at::tensor({0.0, 1.0, 2.0}, at::kDouble);
  EXPECT_TRUE(at::equal(map.apply(c, 0), at::tensor({0.0, 1.0, 1.0, 2.0, 2.0}, at::kDouble)));
}

TEST(InterpolationMap, OnControlPointsOnlyIsASelection) {
  const auto map = interpolation_map(find_kernel("cubic"), 9, uniform(5));
  EXPECT_EQ(map.kind(), AxisMap::Kind::selection);
  EXPECT_TRUE(at::equal(map.apply(at::arange(9, at::kDouble), 0), at::arange(0, 9, 2, at::kDouble)));
}

TEST(InterpolationMap, RefusesBadPointsAndNames) {
  const auto& linear = find_kernel("linear");
  const auto text = [](const char* part) { return ThrowsMessage<std::invalid_argument>(HasSubstr(part)); };
  EXPECT_THAT([&] { interpolation_map(linear, 0, uniform(3)); },
              text("[weight_function] Interpolation kernel 'linear': at least 1 control point is required "
                   "but there are 0."));
  EXPECT_THAT(
      [&] {
        interpolation_map(linear, 4, at::tensor({0.5, 1.25}, at::kDouble));
      },
      text("must be in [0, 1] but one is 1.25."));
  EXPECT_THAT(
      [&] {
        interpolation_map(linear, 4, at::tensor({0.5, std::nan("")}, at::kDouble));
      },
      text("in [0, 1]"));
  EXPECT_THAT([&] { interpolation_map(linear, 4, at::zeros({0}, at::kDouble)); }, text("non-empty"));
  EXPECT_THAT([&] { interpolation_map(linear, 4, at::zeros({2}, at::kLong)); }, text("float32 or float64"));
  EXPECT_THAT([] { find_kernel("cubik"); },
              text("Interpolation kernel 'cubik': no such kernel. Did you mean 'cubic'"));
}

}  // namespace
}  // namespace inn
