#include "inn/quadrature/integrate.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <numbers>

#include "finite_difference.h"
#include "inn/quadrature/quadrature.h"

namespace inn {
namespace {

using std::numbers::pi;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr double sum_tolerance = 1e-12;  // sums of thousands of products of numbers of order 1

at::Tensor coordinate(const at::Tensor& points, int64_t axis) { return points.select(1, axis); }

TEST(Integrate, SinesOnOneAxisByTheTrapezoid) {
  const auto wave = [](const at::Tensor& x) { return at::sin(10 * coordinate(x, 0)); };
  const IntegrateOptions options{.lower = {0}, .upper = {pi}, .counts = {100}, .rule = "trapezoid"};
  EXPECT_NEAR(integrate(wave, options).item<double>(), 0, sum_tolerance);
  // (1 − cos(10 b))/10 for b = 1; the trapezoid errs by h²/12 (f'(b) − f'(a)) up to terms in h⁴.
  const double exact = (1 - std::cos(10.0)) / 10, h = 1.0 / 99;
  const double expected = exact + h * h / 12 * 10 * (std::cos(10.0) - 1);
  EXPECT_NEAR(integrate(wave, {.counts = {100}}).item<double>(), expected, 1e-6);
  EXPECT_NEAR(integrate(wave, {.counts = {30}, .rule = "gauss-legendre"}).item<double>(), exact,
              sum_tolerance);
}

TEST(Integrate, EveryRuleOnABoxOfThreeDimensions) {
  // ∫ x e^y sin z over [0,2]×[−1,1]×[0,π/2].
  const auto f = [](const at::Tensor& p) {
    return coordinate(p, 0) * coordinate(p, 1).exp() * coordinate(p, 2).sin();
  };
  const double exact = 2 * (std::exp(1) - std::exp(-1));
  for (const auto& rule : quadratures()) {
    const bool sampled = rule.samples != nullptr;
    IntegrateOptions options{
        .lower = {0, -1, 0}, .upper = {2, 1, pi / 2}, .counts = {21, 30, 25}, .rule = rule.name};
    if (sampled) options.counts = {1 << 14};
    if (rule.name == "herding") options.counts = {512};  // its time grows with the square
    // Rules of order 2 with steps of 1/20; the standard error of 16384 samples is about a hundredth, three of
    // them.
    const double tolerance = rule.name == "gauss-legendre" || rule.name == "clenshaw-curtis" ? sum_tolerance
                             : rule.name == "monte-carlo" || rule.name == "herding"          ? 0.1
                             : rule.name == "simpson"                                        ? 1e-4
                                                                                             : 5e-3;
    EXPECT_NEAR(integrate(f, options).item<double>(), exact, tolerance) << rule.name;
  }
}

TEST(Integrate, SwappedBoundsChangeTheSignAndEmptyOnesGiveZero) {
  const auto f = [](const at::Tensor& x) { return coordinate(x, 0).square(); };
  EXPECT_NEAR(integrate(f, {.lower = {3}, .upper = {0}, .counts = {3}, .rule = "simpson"}).item<double>(), -9,
              sum_tolerance);
  EXPECT_EQ(integrate(f, {.lower = {2}, .upper = {2}}).item<double>(), 0);
  EXPECT_NEAR(integrate(f, {.lower = {0}, .upper = {2}, .counts = {1}}).item<double>(), 2, sum_tolerance);
}

TEST(Integrate, SeveralFunctionsAtOnceInTheirOwnDtype) {
  const auto powers = [](const at::Tensor& x) {
    return at::stack({x.select(1, 0), x.select(1, 0).square(), x.select(1, 1)}, 1).to(at::kFloat);
  };
  const auto got = integrate(powers, {.lower = {0, 0}, .upper = {1, 2}, .counts = {5, 3}, .rule = "simpson"});
  EXPECT_EQ(got.scalar_type(), at::kFloat);
  // 15 products in float32.
  EXPECT_LE((got - at::tensor({1.0f, 2.0f / 3, 2.0f})).abs().max().item<float>(), 1e-6f);
}

TEST(Integrate, DifferentiatesTheFunctionAndTheGrid) {
  const auto integral = [](const std::vector<at::Tensor>& in) {
    const TensorGrid grid({std::make_shared<TrainableGrid>(in[1]), std::make_shared<UniformGrid>(4),
                           std::make_shared<TrainableGrid>(in[2])});
    const auto f = [&](const at::Tensor& p) {
      return at::sin(in[0][0] * coordinate(p, 0)) * at::exp(in[0][1] * coordinate(p, 1)) +
             coordinate(p, 2).pow(3);
    };
    return integrate(f, grid, {.lower = {0, -1, 0.5}, .upper = {2, 1, 1}, .rule = "simpson"});
  };
  const auto drawn = [](int64_t count) { return at::cos(at::arange(count, at::kDouble) * 2.1); };
  test::expect_gradients(integral, {at::tensor({1.3, 0.4}, at::kDouble), drawn(4), drawn(5)});
  const auto by_samples = [](const std::vector<at::Tensor>& in) {
    const auto f = [&](const at::Tensor& p) { return at::sin(in[0] * coordinate(p, 0)); };
    return integrate(f, {.counts = {64}, .rule = "sobol", .seed = 5});
  };
  test::expect_gradients(by_samples, {at::tensor(1.3, at::kDouble)});
}

TEST(Integrate, GivesTheSameInPartsAndGivesAFunctionNoMorePointsThanThat) {
  // Several functions of three coordinates, on axes that no part divides.
  at::Tensor parameter = at::tensor(0.7, at::kDouble).requires_grad_(true);
  const IntegrateOptions whole{
      .lower = {0, -1, 2}, .upper = {1, 1, 3}, .counts = {7, 11, 5}, .rule = "simpson"};
  const auto with = [&](int64_t points_at_once) {
    int64_t most = 0, in_all = 0;
    const auto f = [&](const at::Tensor& x) {
      most = std::max(most, x.size(0));
      in_all += x.size(0);
      return at::stack({at::sin(parameter * x.sum(1)), x.prod(1)}, 1);
    };
    auto options = whole;
    options.points_at_once = points_at_once;
    const auto integral = integrate(f, options);
    EXPECT_LE(most, points_at_once);
    EXPECT_EQ(in_all, 7 * 11 * 5);
    const auto gradient = torch::autograd::grad({integral[0]}, {parameter})[0];
    return at::cat({integral.detach(), gradient.view({1})});
  };
  const auto expected = with(7 * 11 * 5);
  for (const int64_t points : {384, 60, 55, 54, 7, 1})
    EXPECT_LE((with(points) - expected).abs().max().item<double>(), sum_tolerance) << points;
}

TEST(Integrate, DifferentiatesAGridInParts) {
  const auto integral = [](const std::vector<at::Tensor>& in) {
    const TensorGrid grid({std::make_shared<TrainableGrid>(in[0]), std::make_shared<TrainableGrid>(in[1])});
    const auto f = [&](const at::Tensor& p) { return at::sin(coordinate(p, 0) * coordinate(p, 1).exp()); };
    return integrate(f, grid, {.lower = {0, -1}, .upper = {2, 1}, .points_at_once = 7});
  };
  const auto drawn = [](int64_t count) { return at::cos(at::arange(count, at::kDouble) * 2.1); };
  test::expect_gradients(integral, {drawn(4), drawn(5)});
}

TEST(Integrate, SamplesAreAlikeForEqualSeedsOnly) {
  const auto f = [](const at::Tensor& x) { return x.exp().sum(1); };
  for (const char* rule : {"monte-carlo", "sobol"}) {
    const auto with = [&](uint64_t seed) {
      return integrate(f, {.lower = {0, 0}, .upper = {1, 1}, .counts = {50}, .rule = rule, .seed = seed})
          .item<double>();
    };
    EXPECT_EQ(with(1), with(1));
    EXPECT_NE(with(1), with(2));
  }
}

TEST(Integrate, SobolConvergesFasterThanMonteCarlo) {
  const auto f = [](const at::Tensor& x) { return x.exp().prod(1); };
  const double exact = std::pow(std::exp(1) - 1, 4);
  const auto spread = [&](const char* rule, int64_t count) {
    double sum = 0;
    for (uint64_t seed = 0; seed < 20; ++seed) {
      const double off =
          integrate(
              f,
              {.lower = {0, 0, 0, 0}, .upper = {1, 1, 1, 1}, .counts = {count}, .rule = rule, .seed = seed})
              .item<double>() -
          exact;
      sum += off * off;
    }
    return std::sqrt(sum / 20);
  };
  // Root mean square over 20 seeds, itself good to a sixth: orders 1/2 and about 1 over six doublings.
  EXPECT_NEAR(std::log2(spread("monte-carlo", 256) / spread("monte-carlo", 16384)) / 6, 0.5, 0.1);
  EXPECT_GT(std::log2(spread("sobol", 256) / spread("sobol", 16384)) / 6, 0.8);
}

TEST(Sobol, BeginsAsTheSequenceIsKnown) {
  const auto expected = at::tensor(
      {0.0, 0.0, 0.0, 0.5, 0.5, 0.5, 0.75, 0.25, 0.25, 0.25, 0.75, 0.75, 0.375, 0.375, 0.625}, at::kDouble);
  EXPECT_TRUE(at::equal(sobol_points(5, 3), expected.view({5, 3})));
  EXPECT_TRUE(at::equal(sobol_points(1, 3), expected.view({5, 3}).narrow(0, 0, 1)));
}

TEST(Sobol, PutsOnePointIntoEachOfEqualIntervalsOfEveryAxis) {
  for (const auto& points : {sobol_points(256, 50), sobol_points(256, 50, 9)}) {
    const auto cells = std::get<0>((points * 256).floor().sort(0));
    EXPECT_TRUE(at::equal(cells, at::arange(256, at::kDouble).unsqueeze(1).expand({256, 50})));
  }
}

TEST(Integrate, RefusesWhatDoesNotFit) {
  const auto text = [](const char* part) { return ThrowsMessage<std::invalid_argument>(HasSubstr(part)); };
  const auto of = [](const IntegrateOptions& options) {
    return [=] { integrate([](const at::Tensor& x) { return x.select(1, 0); }, options); };
  };
  EXPECT_THAT(of({.lower = {0, 0}}),
              text("[quadrature] integrate: lower and upper bounds must have the same number of values"));
  EXPECT_THAT(of({.upper = {INFINITY}}), text("bounds must be finite"));
  EXPECT_THAT(of({.counts = {0}}), text("at least 1 but one is 0."));
  EXPECT_THAT(of({.counts = {4, 4}}), text("expected 1 or 1 counts of points"));
  EXPECT_THAT(of({.points_at_once = 0}), text("points_at_once must be at least 1 but got 0."));
  EXPECT_THAT(of({.counts = {4, 4}, .rule = "sobol"}), text("requires a single count of samples but got 2."));
  EXPECT_THAT(of({.rule = "sobl"}), text("Did you mean 'sobol'"));
  EXPECT_THAT([] { integrate([](const at::Tensor& x) { return x.sum(); }, {}); }, text("returned a scalar."));
  EXPECT_THAT([] { integrate([](const at::Tensor& x) { return x.narrow(0, 0, 3); }, {}); },
              text("each of the 100 points but returned 3."));
  const TensorGrid grid({std::make_shared<UniformGrid>(3)});
  EXPECT_THAT(
      [&] {
        integrate([](const at::Tensor& x) { return x; }, grid, {.lower = {0, 0}, .upper = {1, 1}});
      },
      text("the box has 2 dimensions but the grid has 1."));
  EXPECT_THAT(of({.seed = 3}),
              text("quadrature 'trapezoid' does not draw samples, so seed must be 0 but got 3."));
  EXPECT_THAT(of({.rule = "sobol", .replicas = 4}), text("integrate uses no replicas, but replicas is 4."));
  EXPECT_THAT(
      [] {
        integrate_with_error([](const at::Tensor& x) { return x.select(1, 0); },
                             {.rule = "monte-carlo", .replicas = 4});
      },
      text("quadrature 'monte-carlo' uses no replicas, but replicas is 4."));
  for (const IntegrateOptions& options : {IntegrateOptions{.counts = {3}}, IntegrateOptions{.seed = 1}})
    EXPECT_THAT([&] { integrate([](const at::Tensor& x) { return x.select(1, 0); }, grid, options); },
                text("the grid determines the points, so counts and seed must not be set."));
  EXPECT_THAT([] { sobol_points(0, 1); }, text("[1, 2^30)"));
  EXPECT_THAT([] { sobol_points(1, 0); }, text("[1, 21201]"));
}

}  // namespace
}  // namespace inn
