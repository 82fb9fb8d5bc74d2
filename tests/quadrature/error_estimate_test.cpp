// The errors that integrate_with_error names, and the Halton points behind one of them.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "finite_difference.h"
#include "inn/quadrature/integrate.h"

namespace inn {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr double few_roundings = 1e-12;  // sums of hundreds of numbers of order 1

at::Tensor smooth(const at::Tensor& x) {
  return at::exp(x.select(1, 0)) * at::cos(x.select(1, 1)) + x.select(1, 2).sqrt();
}
const double smooth_integral = (std::exp(1) - 1) * std::sin(1) + 2.0 / 3;

IntegrateOptions on_cube(const std::string& rule, int64_t count, uint64_t seed) {
  return {.lower = {0, 0, 0}, .upper = {1, 1, 1}, .counts = {count}, .rule = rule, .seed = seed};
}

struct Covered {
  const char* rule;
  int64_t count;
};

TEST(IntegrateWithError, TwoErrorsCoverTheIntegralInMoreThanNineOfTenSeeds) {
  for (const auto& [rule, count] :
       {Covered{"monte-carlo", 500}, Covered{"sobol", 128}, Covered{"halton", 100}}) {
    int64_t covered = 0;
    for (uint64_t seed = 0; seed < 200; ++seed) {
      const auto [value, error] = integrate_with_error(smooth, on_cube(rule, count, seed));
      covered += std::abs(value.item<double>() - smooth_integral) <= 2 * error.item<double>();
    }
    // 95.4 % of a normal distribution, 93.6 % of Student's with 15 degrees of freedom, ± 1.7 % by 200 seeds.
    EXPECT_GE(covered, 180) << rule << count;
    EXPECT_LE(covered, 199) << rule << count;
  }
}

TEST(IntegrateWithError, RandomizedSequencesErrLessThanAsManyRandomPoints) {
  const double random =
      integrate_with_error(smooth, on_cube("monte-carlo", 16 * 256, 1)).error.item<double>();
  for (const auto* rule : {"sobol", "halton"})
    EXPECT_LT(integrate_with_error(smooth, on_cube(rule, 256, 1)).error.item<double>(), random / 4) << rule;
}

TEST(IntegrateWithError, GivesTheValueOfIntegrateWhereThatIsOneRun) {
  const auto options = on_cube("monte-carlo", 100, 5);
  EXPECT_EQ(integrate_with_error(smooth, options).value.item<double>(),
            integrate(smooth, options).item<double>());
  const auto wave = [](const at::Tensor& x) { return at::sin(4 * x.select(1, 0)); };
  const IntegrateOptions bayesian{.lower = {-1}, .upper = {1.5}, .counts = {20}, .rule = "bayesian"};
  const auto [value, error] = integrate_with_error(wave, bayesian);
  EXPECT_NEAR(value.item<double>(), integrate(wave, bayesian).item<double>(), few_roundings);
  EXPECT_LE(std::abs(value.item<double>() - (std::cos(4) - std::cos(6)) / 4), 2 * error.item<double>());
}

TEST(IntegrateWithError, BayesianCoversInSeveralDimensions) {
  auto options = on_cube("bayesian:matern32,0.5", 6, 0);
  const auto [value, error] = integrate_with_error(smooth, options);
  EXPECT_LE(std::abs(value.item<double>() - smooth_integral), 2 * error.item<double>());
  EXPECT_LT(error.item<double>(), 0.05);
}

TEST(IntegrateWithError, ErrorsScaleWithTheBoxAndStandForEachFunction) {
  const auto two = [](const at::Tensor& x) { return at::stack({x.select(1, 0), 3 * x.select(1, 0)}, 1); };
  for (const auto* rule : {"monte-carlo", "sobol", "halton", "bayesian:matern12"}) {
    const auto unit = integrate_with_error(two, {.counts = {40}, .rule = rule});
    ASSERT_EQ(unit.error.sizes(), std::vector<int64_t>{2}) << rule;
    EXPECT_NEAR((unit.error[1] / unit.error[0]).item<double>(), 3, 1e-9) << rule;
    // A box of length 2, turned around: x is doubled, and so is what it is multiplied with.
    const auto turned = integrate_with_error(two, {.lower = {2}, .upper = {0}, .counts = {40}, .rule = rule});
    EXPECT_NEAR((turned.error[0] / unit.error[0]).item<double>(), 4, 1e-9) << rule;
    EXPECT_LT(turned.value[0].item<double>(), 0) << rule;
  }
}

TEST(IntegrateWithError, GradientsMatchFiniteDifferences) {
  for (const auto* rule : {"monte-carlo", "sobol", "halton", "bayesian:matern32,0.2"}) {
    const auto both = [&](const std::vector<at::Tensor>& in) {
      const auto f = [&](const at::Tensor& x) { return at::sin(in[0] * x.select(1, 0)); };
      const auto [value, error] = integrate_with_error(f, {.counts = {12}, .rule = rule});
      return at::stack({value, error});
    };
    test::expect_gradients(both, {at::tensor(2.3, at::kDouble)});
  }
}

TEST(IntegrateWithError, RefusesRulesThatKnowNoError) {
  const auto text = [](const char* part) { return ThrowsMessage<std::invalid_argument>(HasSubstr(part)); };
  const auto of = [](const IntegrateOptions& options) {
    return [=] { integrate_with_error(smooth, options); };
  };
  EXPECT_THAT(
      of(on_cube("trapezoid", 3, 0)),
      text(
          "quadrature 'trapezoid' has no error estimate; these have: monte-carlo, sobol, halton, bayesian."));
  EXPECT_THAT(of(on_cube("herding", 3, 0)), text("quadrature 'herding' has no error estimate"));
  auto single = on_cube("sobol", 8, 0);
  single.replicas = 1;
  EXPECT_THAT(of(single), text("at least 2 replicas but got 1."));
  EXPECT_THAT(of(on_cube("monte-carlo", 1, 0)), text("the error cannot be estimated from 1 sample."));
  EXPECT_THAT(of(on_cube("bayesian", 40, 0)), text("at most 16384 nodes but got 64000."));
}

TEST(Halton, BeginsAsTheSequenceIsKnown) {
  const auto expected = at::tensor({0.0, 0.0, 0.0, 1. / 2, 1. / 3, 1. / 5, 1. / 4, 2. / 3, 2. / 5, 3. / 4,
                                    1. / 9, 3. / 5, 1. / 8, 4. / 9, 4. / 5, 5. / 8, 7. / 9, 1. / 25},
                                   at::kDouble);
  EXPECT_LE((halton_points(6, 3) - expected.view({6, 3})).abs().max().item<double>(), 1e-15);
  EXPECT_EQ(halton_points(2, 1000)[1][999].item<double>(), 1.0 / 7919);
}

TEST(Halton, PutsOnePointIntoEachOfEqualIntervalsOfEveryAxis) {
  const int64_t bases[] = {2, 3, 5};
  for (uint64_t seed = 0; seed < 5; ++seed) {
    for (int64_t axis = 0; axis < 3; ++axis) {
      const int64_t base = bases[axis];
      for (const int64_t count : {base, base * base, base * base * base}) {
        const auto points = halton_points(count, 3, seed).select(1, axis);
        const auto cells = std::get<0>((points * static_cast<double>(count)).floor().sort());
        EXPECT_TRUE(at::equal(cells, at::arange(count, at::kDouble))) << base << " " << count;
      }
    }
  }
}

TEST(Halton, RandomizedPointsAreUniformAndAlikeForEqualSeedsOnly) {
  EXPECT_TRUE(at::equal(halton_points(9, 4, 1), halton_points(9, 4, 1)));
  EXPECT_FALSE(at::equal(halton_points(9, 4, 1), halton_points(9, 4, 2)));
  // The first point, 0 in the plain sequence, over 500 seeds: a mean of 1/2 ± 0.013 and a variance of 1/12 ±
  // 0.0033.
  std::vector<at::Tensor> firsts;
  for (uint64_t seed = 0; seed < 500; ++seed) firsts.push_back(halton_points(1, 3, seed));
  const auto drawn = at::cat(firsts);
  EXPECT_LE((drawn.mean(0) - 0.5).abs().max().item<double>(), 0.05);
  EXPECT_LE((drawn.var(0) - 1.0 / 12).abs().max().item<double>(), 0.016);
  EXPECT_TRUE((drawn >= 0).logical_and(drawn < 1).all().item<bool>());
}

TEST(Halton, RefusesCountsOutsideItsRange) {
  const auto text = [](const char* part) { return ThrowsMessage<std::invalid_argument>(HasSubstr(part)); };
  EXPECT_THAT([] { halton_points(0, 1); }, text("[1, 2^30) but got 0."));
  EXPECT_THAT([] { halton_points(1, 0); }, text("[1, 1000] but got 0."));
  EXPECT_THAT([] { halton_points(1, 1001); }, text("but got 1001."));
}

}  // namespace
}  // namespace inn
