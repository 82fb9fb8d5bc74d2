#include "inn/network/size_expression.h"

#include <gtest/gtest.h>

#include <random>
#include <stdexcept>

namespace inn {
namespace {

SizeExpression number(int64_t value) { return SizeExpression::constant(value); }
SizeExpression symbol(SymbolId id) { return SizeExpression::symbol(id); }

TEST(SizeExpression, EqualPolynomialsCompareEqual) {
  const auto a = symbol(0), b = symbol(1), c = symbol(2);
  EXPECT_EQ((a + b) * c, c * b + a * c);
  EXPECT_EQ((a + b) * (a + b), a * a + number(2) * a * b + b * b);
  EXPECT_EQ(a + number(-1) * a, number(0));
  EXPECT_EQ(number(0) * a, SizeExpression());
  EXPECT_NE(a * a, a);
  EXPECT_NE(a + number(1), a);
}

TEST(SizeExpression, ConstantsAreKnown) {
  EXPECT_TRUE(number(0).is_constant());
  EXPECT_TRUE(number(7).is_constant());
  EXPECT_TRUE((symbol(0) + number(7) + number(-1) * symbol(0)).is_constant());
  EXPECT_FALSE((symbol(0) + number(7)).is_constant());
}

TEST(SizeExpression, EvaluationIsAHomomorphism) {
  std::mt19937 random(5);
  const std::vector<int64_t> values = {3, -2, 7, 11};
  const auto draw = [&](auto&& self, int depth) -> std::pair<SizeExpression, int64_t> {
    if (depth == 0) {
      const auto id = static_cast<SymbolId>(random() % values.size());
      if (random() % 3 == 0) return {number(id - 2), id - 2};
      return {symbol(id), values[id]};
    }
    const auto [a, x] = self(self, depth - 1);
    const auto [b, y] = self(self, depth - 1);
    return random() % 2 == 0 ? std::pair{a + b, x + y} : std::pair{a * b, x * y};
  };
  for (int trial = 0; trial < 200; ++trial) {
    const auto [expression, value] = draw(draw, 3);
    EXPECT_EQ(expression.evaluate(values), value);
  }
}

TEST(SizeExpression, RefusesWhatIsNo64BitNumber) {
  constexpr auto kLargest = std::numeric_limits<int64_t>::max();
  const std::vector<int64_t> values = {int64_t{1} << 32};
  EXPECT_THROW((symbol(0) * symbol(0)).evaluate(values), std::out_of_range);
  EXPECT_THROW((symbol(0) + number(kLargest)).evaluate(values), std::out_of_range);
  EXPECT_THROW(number(kLargest) * number(2), std::out_of_range);
  EXPECT_THROW(number(kLargest) + number(1), std::out_of_range);
  EXPECT_EQ((number(kLargest) + number(0)).evaluate(values), kLargest);
}

TEST(SizeExpression, RefusesASymbolWithoutValue) {
  const std::vector<int64_t> values = {3};
  EXPECT_THROW(symbol(1).evaluate(values), std::out_of_range);
  EXPECT_THROW(symbol(-1).evaluate(values), std::out_of_range);
}

}  // namespace
}  // namespace inn
