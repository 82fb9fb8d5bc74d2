#include "inn/grid/distribution.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace inn {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr int draws = 20000;
// The mean of 20000 draws has a standard error of deviation/141; four of them.
constexpr double standard_errors = 4 / 141.0;

double mean_of(const FractionDistribution& distribution, auto function) {
  std::mt19937_64 random(3);
  double sum = 0;
  for (int k = 0; k < draws; ++k) sum += function(distribution.sample(random));
  return sum / draws;
}

double identity(double x) { return x; }

TEST(FractionDistribution, UniformHasItsMeanAndVariance) {
  const FractionDistribution distribution = Uniform{0.25, 1};
  EXPECT_NEAR(mean_of(distribution, identity), 0.625, standard_errors * 0.75 / std::sqrt(12));
  EXPECT_NEAR(mean_of(distribution, [](double x) { return (x - 0.625) * (x - 0.625); }), 0.75 * 0.75 / 12,
              standard_errors * 0.75 * 0.75 / 12);
}

TEST(FractionDistribution, LogUniformIsUniformInTheLogarithm) {
  const FractionDistribution distribution = LogUniform{0.25, 1};
  EXPECT_NEAR(mean_of(distribution, [](double x) { return std::log2(x); }), -1,
              standard_errors * 2 / std::sqrt(12));
  EXPECT_NEAR(mean_of(distribution, identity), 0.75 / std::log(4), standard_errors * 0.75 / std::sqrt(12));
}

TEST(FractionDistribution, TruncatedNormalHasItsMeanAndStaysWithinItsBounds) {
  // The mean of a normal cut to [a, b]: μ + σ(φ(α) − φ(β))/(Φ(β) − Φ(α)).
  const double mean = 0.7, deviation = 0.2, lower = 0.25, upper = 1;
  const auto density = [](double z) { return std::exp(-z * z / 2) / std::sqrt(2 * M_PI); };
  const auto probability = [](double z) { return (1 + std::erf(z / std::sqrt(2))) / 2; };
  const double alpha = (lower - mean) / deviation, beta = (upper - mean) / deviation;
  const double expected =
      mean + deviation * (density(alpha) - density(beta)) / (probability(beta) - probability(alpha));
  const FractionDistribution distribution = TruncatedNormal{mean, deviation, lower, upper};
  EXPECT_NEAR(mean_of(distribution, identity), expected, standard_errors * deviation);
  std::mt19937_64 random(9);
  for (int k = 0; k < 1000; ++k) {
    const double x = FractionDistribution(TruncatedNormal{0.5, 5, 0.4, 0.6}).sample(random);
    ASSERT_GE(x, 0.4);
    ASSERT_LE(x, 0.6);
  }
}

TEST(FractionDistribution, ChoiceHasItsProbabilities) {
  std::map<double, int> counts;
  std::mt19937_64 random(3);
  const FractionDistribution distribution = Choice{{1, 0.5, 0.25, 0.125}, {2, 1, 1, 0}};
  for (int k = 0; k < draws; ++k) ++counts[distribution.sample(random)];
  EXPECT_NEAR(counts[1] / double{draws}, 0.5, standard_errors * 0.5);
  EXPECT_NEAR(counts[0.25] / double{draws}, 0.25, standard_errors * 0.5);
  EXPECT_EQ(counts.count(0.125), 0u);
  EXPECT_NEAR(mean_of(Choice{{1, 0.5}}, identity), 0.75, standard_errors * 0.25);
}

TEST(FractionDistribution, WidthIsTheRoundedFractionAndAtLeastOne) {
  std::mt19937_64 random(1);
  EXPECT_EQ(FractionDistribution(Choice{{0.5}}).width(7, random), 4);
  EXPECT_EQ(FractionDistribution(Choice{{0.01}}).width(7, random), 1);
  EXPECT_EQ(FractionDistribution(Choice{{1}}).width(7, random), 7);
  EXPECT_EQ(FractionDistribution(Choice{{2}}).width(7, random), 14);
  EXPECT_EQ(fraction_width(0, 7), 1);
  EXPECT_THROW(fraction_width(-0.1, 7), std::invalid_argument);
  EXPECT_THROW(fraction_width(0.5, 0), std::invalid_argument);
}

TEST(SizeDistribution, UniformDrawsBothEndsAndAllBetweenAlike) {
  std::map<int64_t, int> counts;
  std::mt19937_64 random(3);
  const SizeDistribution distribution = Uniform{8, 16};
  for (int k = 0; k < draws; ++k) ++counts[distribution.sample(random)];
  EXPECT_EQ(counts.size(), 9u);
  EXPECT_EQ(counts.begin()->first, distribution.minimum());
  EXPECT_EQ(counts.rbegin()->first, distribution.maximum());
  for (const auto& [width, count] : counts)
    EXPECT_NEAR(count / double{draws}, 1.0 / 9, standard_errors / 3) << width;
}

TEST(SizeDistribution, EveryLawDrawsWidthsWithinItsBoundsAlikeForEqualSeeds) {
  for (const SizeDistribution& distribution :
       {SizeDistribution(Uniform{1, 3}), SizeDistribution(TruncatedNormal{20, 6, 10, 30}),
        SizeDistribution(LogUniform{4, 64}), SizeDistribution(Choice{{5, 9}})}) {
    std::mt19937_64 random(4), again(4);
    for (int k = 0; k < 500; ++k) {
      const int64_t width = distribution.sample(random);
      ASSERT_EQ(width, distribution.sample(again));
      ASSERT_GE(width, distribution.minimum());
      ASSERT_LE(width, distribution.maximum());
    }
    EXPECT_EQ(SizeDistribution::parse(distribution.text()).law(), distribution.law());
  }
}

TEST(Distribution, ReadsWhatTheCommandLineWrites) {
  EXPECT_EQ(FractionDistribution::parse("uniform:0.25,1").law(), Distribution(Uniform{0.25, 1}));
  EXPECT_EQ(FractionDistribution::parse("normal:0.5,0.2").law(),
            Distribution(TruncatedNormal{0.5, 0.2, 0, 1}));
  EXPECT_EQ(FractionDistribution::parse("normal:0.5,0.2,0.25,2").law(),
            Distribution(TruncatedNormal{0.5, 0.2, 0.25, 2}));
  EXPECT_EQ(FractionDistribution::parse("loguniform:0.25,1").law(), Distribution(LogUniform{0.25, 1}));
  EXPECT_EQ(FractionDistribution::parse("choice:1,0.75,0.5,0.25").law(),
            Distribution(Choice{{1, 0.75, 0.5, 0.25}}));
  EXPECT_EQ(FractionDistribution::parse("choice:1@0.5,0.5@3").law(),
            Distribution(Choice{{1, 0.5}, {0.5, 3}}));
  EXPECT_EQ(SizeDistribution::parse("uniform:8,16").law(), Distribution(Uniform{8, 16}));
}

TEST(Distribution, TextIsReadBackToTheLastBit) {
  const double third = 1.0 / 3;
  for (const FractionDistribution& distribution :
       {FractionDistribution(Uniform{third, 1}), FractionDistribution(TruncatedNormal{third, 0.1, 0, 1}),
        FractionDistribution(LogUniform{0.1, 2 * third}),
        FractionDistribution(Choice{{third, 1}, {0.1, 0.9}})})
    EXPECT_EQ(FractionDistribution::parse(distribution.text()).law(), distribution.law())
        << distribution.text();
}

TEST(Distribution, RefusesWhatIsNone) {
  const auto text = [](const char* part) { return ThrowsMessage<std::invalid_argument>(HasSubstr(part)); };
  const auto fraction = [](const char* written) { return [=] { FractionDistribution::parse(written); }; };
  EXPECT_THAT(
      fraction("unifrom:0.25,1"),
      text("[grid] Distribution 'unifrom:0.25,1': no distribution 'unifrom'. Did you mean 'uniform'"));
  EXPECT_THAT(fraction("uniform"), text("followed by a colon"));
  EXPECT_THAT(fraction("uniform:0.25"), text("must have the form uniform:LOWER,UPPER."));
  EXPECT_THAT(fraction("uniform:a,1"), text("'a' is not a number."));
  EXPECT_THAT(fraction("uniform:,1"), text("'' is not a number."));
  EXPECT_THAT(fraction("uniform:1,0.5"), text("in order but are 1 and 0.5."));
  EXPECT_THAT(fraction("uniform:0,1"), text("must be positive but the smallest is 0."));
  EXPECT_THAT(fraction("uniform:nan,1"), text("finite"));
  EXPECT_THAT(fraction("normal:0.5,0"), text("the standard deviation must be positive but is 0."));
  EXPECT_THAT(fraction("normal:1.5,0.1"), text("the mean must be in [0, 1] but is 1.5."));
  EXPECT_THAT(fraction("loguniform:0,1"), text("the lower bound must be positive"));
  EXPECT_THAT(fraction("choice:"), text("is not a number."));
  EXPECT_THAT(fraction("choice:1@0.5,2"), text("must have the form choice"));
  EXPECT_THAT(fraction("choice:1@0,0.5@0"), text("must not all be 0."));
  EXPECT_THAT(fraction("choice:1@-1,0.5@2"), text("at least 0 but one is -1."));
  EXPECT_THAT(
      [] {
        SizeDistribution(Uniform{0, 4});
      },
      text("the lower bound must be a positive integer but is 0."));
  EXPECT_THAT(
      [] {
        SizeDistribution(Choice{{2, 2.5}});
      },
      text("a choice must be a positive integer but is 2.5."));
  EXPECT_THAT([] { SizeDistribution::parse("normal:8,2"); }, text("normal:MEAN,DEVIATION,LOWER,UPPER."));
  EXPECT_THAT([] { SizeDistribution(Choice{}); }, text("at least one value"));
}

}  // namespace
}  // namespace inn
