#include "inn/dimension/algebra.h"

#include <gtest/gtest.h>

namespace inn {
namespace {

Axis product(std::vector<Axis> factors) { return Axis::of_product(std::move(factors)); }
Axis sum(std::vector<Axis> terms) { return Axis::of_sum(std::move(terms)); }
Axis number(int64_t size) { return Axis::of_constant(size); }

TEST(Axis, DistributesAnOutermostSum) {
  Algebra algebra;
  const Axis a = algebra.fresh(2), b = algebra.fresh(3), r = algebra.fresh(5);
  EXPECT_EQ(product({sum({a, b}), r}), sum({product({a, r}), product({b, r})}));
  EXPECT_EQ(product({sum({a, b}), r}).size, 25);
}

TEST(Axis, ProductsHaveNoFactorOneAndMergeNumbers) {
  Algebra algebra;
  const Axis a = algebra.fresh(7);
  EXPECT_EQ(product({number(1), a, number(1)}), a);
  EXPECT_EQ(product({number(2), number(3)}), number(6));
  EXPECT_EQ(product({}), number(1));
}

TEST(Algebra, UnifiedVariablesAreOne) {
  Algebra algebra;
  const Axis a = algebra.fresh(8), b = algebra.fresh(8), c = algebra.fresh(8);
  EXPECT_TRUE(algebra.unify(a, b, "one"));
  EXPECT_TRUE(algebra.unify(c, b, "two"));
  EXPECT_EQ(algebra.resolve(a), algebra.resolve(c));
}

TEST(Algebra, EqualSizesAloneUnifyNothing) {
  Algebra algebra;
  const Axis a = algebra.fresh(8), b = algebra.fresh(8);
  EXPECT_NE(algebra.resolve(a), algebra.resolve(b));
}

TEST(Algebra, SplitsALongerFactor) {
  // 768 = 12·64 against 3·256: neither 64 nor 256 … the outer 12 becomes 3·4, so 768 = 3·4·64.
  Algebra algebra;
  const Axis h = algebra.fresh(12), d = algebra.fresh(64), q = algebra.fresh(3), r = algebra.fresh(256);
  EXPECT_TRUE(algebra.unify(product({h, d}), product({q, r}), "view"));
  const Axis whole = algebra.resolve(product({h, d}));
  EXPECT_EQ(whole, algebra.resolve(product({q, r})));
  ASSERT_TRUE(whole.is_product());
  ASSERT_EQ(whole.parts.size(), 3U);
  EXPECT_EQ(whole.parts[0].size, 3);
  EXPECT_EQ(whole.parts[1].size, 4);
  EXPECT_EQ(whole.parts[2].size, 64);
}

TEST(Algebra, FactorsThatDoNotDivideArePinnedNamingBoth) {
  Algebra algebra;
  const Axis a = algebra.fresh(4), b = algebra.fresh(6), c = algebra.fresh(6), d = algebra.fresh(4),
             other = algebra.fresh(6);
  algebra.unify(b, other, "first operator");
  EXPECT_FALSE(algebra.unify(product({a, b}), product({c, d}), "second operator"));
  const Axis left = algebra.resolve(a);
  ASSERT_TRUE(left.is_variable());
  ASSERT_TRUE(algebra.pinned(left.variable).has_value());
  EXPECT_EQ(*algebra.pinned(left.variable),
            "first operator and second operator require incompatible factorizations");
}

TEST(Algebra, AlignsCutPointsOfSums) {
  Algebra algebra;
  const Axis a = algebra.fresh(10), b = algebra.fresh(6), c = algebra.fresh(4), d = algebra.fresh(12);
  EXPECT_TRUE(algebra.unify(sum({a, b}), sum({c, d}), "cat"));
  const Axis whole = algebra.resolve(sum({a, b}));
  EXPECT_EQ(whole, algebra.resolve(sum({c, d})));
  ASSERT_TRUE(whole.is_sum());
  ASSERT_EQ(whole.parts.size(), 3U);
  EXPECT_EQ(whole.parts[0].size, 4);
  EXPECT_EQ(whole.parts[1].size, 6);
  EXPECT_EQ(whole.parts[2].size, 6);
}

TEST(Algebra, ChannelShuffleFindsThatItsBranchesHaveOneWidth) {
  Algebra algebra;
  const Axis c1 = algebra.fresh(58), c2 = algebra.fresh(58), two = algebra.fresh(2), c = algebra.fresh(58);
  EXPECT_TRUE(algebra.unify(sum({c1, c2}), product({two, c}), "view"));
  EXPECT_EQ(algebra.resolve(c1), algebra.resolve(c2));
  EXPECT_EQ(algebra.resolve(c1), algebra.resolve(c));
}

TEST(Algebra, ASumInsideAProductMeetsFactorsOfItsSize) {
  Algebra algebra;
  const Axis r = algebra.fresh(3), g1 = algebra.fresh(4), g2 = algebra.fresh(6), v = algebra.fresh(30);
  const Axis nested = product({r, sum({g1, g2})});
  EXPECT_TRUE(algebra.unify(v, nested, "view"));
  const Axis outer = algebra.fresh(3), inner = algebra.fresh(10);
  EXPECT_TRUE(algebra.unify(nested, product({outer, inner}), "view"));
  EXPECT_EQ(algebra.resolve(inner), algebra.resolve(sum({g1, g2})));
  EXPECT_EQ(algebra.resolve(v), algebra.resolve(product({outer, inner})));
}

TEST(Algebra, AFlattenedSumIsCutInItsOutermostFactor) {
  Algebra algebra;
  const Axis g1 = algebra.fresh(4), g2 = algebra.fresh(6), whole = algebra.fresh(10);
  EXPECT_TRUE(algebra.unify(product({whole, number(49)}), product({sum({g1, g2}), number(49)}), "flatten"));
  EXPECT_EQ(algebra.resolve(whole), algebra.resolve(sum({g1, g2})));
}

TEST(Algebra, CutSplitsVariablesAndRefusesInsideFactors) {
  Algebra algebra;
  const Axis a = algebra.fresh(10), d = algebra.fresh(4);
  const auto halves = algebra.cut(product({a, d}), 12, "slice");
  ASSERT_TRUE(halves.has_value());
  EXPECT_EQ(halves->first.size, 12);
  EXPECT_EQ(halves->second.size, 28);
  EXPECT_FALSE(algebra.cut(product({a, d}), 6, "slice").has_value());
}

TEST(Algebra, CutInsideOnePositionOfARepeatedVariableLeavesItWhole) {
  Algebra algebra;
  const Axis c = algebra.fresh(29);
  const auto halves = algebra.cut(product({c, number(4)}), 58, "chunk");  // 14 whole positions and a half
  ASSERT_TRUE(halves.has_value());
  const Axis whole = algebra.resolve(c);
  ASSERT_TRUE(whole.is_sum());
  ASSERT_EQ(whole.parts.size(), 3U);
  EXPECT_EQ(whole.parts[0].size, 14);
  EXPECT_EQ(whole.parts[2].size, 14);
  EXPECT_EQ(algebra.pinned(whole.parts[1].variable), "chunk splits inside one of its positions");
  EXPECT_EQ(halves->first, sum({product({whole.parts[0], number(4)}), number(2)}));
  EXPECT_EQ(halves->second, sum({number(2), product({whole.parts[2], number(4)})}));
  EXPECT_FALSE(algebra.pinned(whole.parts[0].variable).has_value());
}

TEST(Algebra, PinsAreInheritedByWhatAVariableBecomes) {
  Algebra algebra;
  const Axis v = algebra.fresh(12), a = algebra.fresh(3), b = algebra.fresh(4);
  algebra.pin(v, "input");
  algebra.unify(v, product({a, b}), "view");
  EXPECT_EQ(algebra.pinned(a.variable), "input");
  EXPECT_EQ(algebra.pinned(b.variable), "input");
}

TEST(Algebra, AVariableInItsOwnBindingIsAConflict) {
  Algebra algebra;
  const Axis v = algebra.fresh(6), one = algebra.fresh(1);
  EXPECT_FALSE(algebra.unify(v, product({one, v}), "view"));
  EXPECT_TRUE(algebra.pinned(v.variable).has_value());
}

TEST(Algebra, ANumberPinsWhatItMeets) {
  Algebra algebra;
  const Axis v = algebra.fresh(3);
  EXPECT_TRUE(algebra.unify(v, number(3), "aten::add (head)"));
  EXPECT_EQ(algebra.pinned(v.variable), "aten::add (head) requires exactly 3 channels");
}

}  // namespace
}  // namespace inn
