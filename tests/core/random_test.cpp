#include "inn/core/random.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

namespace inn {
namespace {

TEST(Random, IsAFunctionOfSeedAndKeys) {
  EXPECT_EQ(Random(3).at(1).at(2).next(), Random(3).at(1).at(2).next());
  EXPECT_NE(Random(3).at(1).at(2).next(), Random(3).at(2).at(1).next());
  EXPECT_NE(Random(3).next(), Random(4).next());
  Random moved(3);
  const uint64_t first = moved.next();
  EXPECT_NE(first, moved.next());
}

TEST(Random, DrawsEachNumberBelowTheCountEquallyOften) {
  constexpr uint32_t kCount = 7, kDraws = 70'000;
  Random random(11);
  std::array<double, kCount> seen{};
  for (uint32_t i = 0; i < kDraws; ++i) ++seen.at(random.below(kCount));
  double chi_square = 0;
  for (const double count : seen) chi_square += std::pow(count - kDraws / kCount, 2) / (kDraws / kCount);
  EXPECT_LT(chi_square, 22.5);  // 6 degrees of freedom: exceeded with probability 0.001
}

TEST(Random, UniformHasTheMomentsOfTheUnitInterval) {
  constexpr int kDraws = 100'000;
  Random random(5);
  double sum = 0, squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double x = random.uniform();
    ASSERT_GE(x, 0);
    ASSERT_LT(x, 1);
    sum += x;
    squares += x * x;
  }
  constexpr double kThreeSigma = 3 * 0.29 / 316;
  EXPECT_NEAR(sum / kDraws, 1.0 / 2, kThreeSigma);
  EXPECT_NEAR(squares / kDraws, 1.0 / 3, kThreeSigma);
}

}  // namespace
}  // namespace inn
