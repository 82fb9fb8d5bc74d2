#include "inn/dimension/algebra.h"

#include <gtest/gtest.h>

namespace inn {
namespace {

AxisStructure product(std::vector<AxisStructure> factors) {
  return AxisStructure::of_product(std::move(factors));
}
AxisStructure sum(std::vector<AxisStructure> terms) { return AxisStructure::of_sum(std::move(terms)); }
AxisStructure number(int64_t size) { return AxisStructure::of_constant(size); }

TEST(AxisStructure, DistributesAnOutermostSum) {
  Algebra algebra;
  const AxisStructure a = algebra.fresh(2), b = algebra.fresh(3), r = algebra.fresh(5);
  EXPECT_EQ(product({sum({a, b}), r}), sum({product({a, r}), product({b, r})}));
  EXPECT_EQ(product({sum({a, b}), r}).size, 25);
}

TEST(AxisStructure, ProductsHaveNoFactorOneAndMergeNumbers) {
  Algebra algebra;
  const AxisStructure a = algebra.fresh(7);
  EXPECT_EQ(product({number(1), a, number(1)}), a);
  EXPECT_EQ(product({number(2), number(3)}), number(6));
  EXPECT_EQ(product({}), number(1));
}

TEST(Algebra, UnifiedVariablesAreOne) {
  Algebra algebra;
  const AxisStructure a = algebra.fresh(8), b = algebra.fresh(8), c = algebra.fresh(8);
  EXPECT_TRUE(algebra.unify(a, b, "one"));
  EXPECT_TRUE(algebra.unify(c, b, "two"));
  EXPECT_EQ(algebra.resolve(a), algebra.resolve(c));
}

TEST(Algebra, EqualSizesAloneUnifyNothing) {
  Algebra algebra;
  const AxisStructure a = algebra.fresh(8), b = algebra.fresh(8);
  EXPECT_NE(algebra.resolve(a), algebra.resolve(b));
}

TEST(Algebra, SplitsALongerFactor) {
  // 768 = 12·64 against 3·256: neither 64 nor 256 … the outer 12 becomes 3·4, so 768 = 3·4·64.
  Algebra algebra;
  const AxisStructure h = algebra.fresh(12), d = algebra.fresh(64), q = algebra.fresh(3),
                      r = algebra.fresh(256);
  EXPECT_TRUE(algebra.unify(product({h, d}), product({q, r}), "view"));
  const AxisStructure whole = algebra.resolve(product({h, d}));
  EXPECT_EQ(whole, algebra.resolve(product({q, r})));
  ASSERT_TRUE(whole.is_product());
  ASSERT_EQ(whole.parts.size(), 3U);
  EXPECT_EQ(whole.parts[0].size, 3);
  EXPECT_EQ(whole.parts[1].size, 4);
  EXPECT_EQ(whole.parts[2].size, 64);
}

TEST(Algebra, FactorsThatDoNotDivideArePinnedNamingBoth) {
  Algebra algebra;
  const AxisStructure a = algebra.fresh(4), b = algebra.fresh(6), c = algebra.fresh(6), d = algebra.fresh(4),
                      other = algebra.fresh(6);
  algebra.unify(b, other, "first operator");
  EXPECT_FALSE(algebra.unify(product({a, b}), product({c, d}), "second operator"));
  const AxisStructure left = algebra.resolve(a);
  ASSERT_TRUE(left.is_variable());
  ASSERT_TRUE(algebra.pinned(left.variable).has_value());
  EXPECT_EQ(*algebra.pinned(left.variable),
            "first operator and second operator require incompatible factorizations");
}

TEST(Algebra, AlignsCutPointsOfSums) {
  Algebra algebra;
  const AxisStructure a = algebra.fresh(10), b = algebra.fresh(6), c = algebra.fresh(4),
                      d = algebra.fresh(12);
  EXPECT_TRUE(algebra.unify(sum({a, b}), sum({c, d}), "cat"));
  const AxisStructure whole = algebra.resolve(sum({a, b}));
  EXPECT_EQ(whole, algebra.resolve(sum({c, d})));
  ASSERT_TRUE(whole.is_sum());
  ASSERT_EQ(whole.parts.size(), 3U);
  EXPECT_EQ(whole.parts[0].size, 4);
  EXPECT_EQ(whole.parts[1].size, 6);
  EXPECT_EQ(whole.parts[2].size, 6);
}

TEST(Algebra, ChannelShuffleFindsThatItsBranchesHaveOneWidth) {
  Algebra algebra;
  const AxisStructure c1 = algebra.fresh(58), c2 = algebra.fresh(58), two = algebra.fresh(2),
                      c = algebra.fresh(58);
  EXPECT_TRUE(algebra.unify(sum({c1, c2}), product({two, c}), "view"));
  EXPECT_EQ(algebra.resolve(c1), algebra.resolve(c2));
  EXPECT_EQ(algebra.resolve(c1), algebra.resolve(c));
}

TEST(Algebra, ASumInsideAProductMeetsFactorsOfItsSize) {
  Algebra algebra;
  const AxisStructure r = algebra.fresh(3), g1 = algebra.fresh(4), g2 = algebra.fresh(6),
                      v = algebra.fresh(30);
  const AxisStructure nested = product({r, sum({g1, g2})});
  EXPECT_TRUE(algebra.unify(v, nested, "view"));
  const AxisStructure outer = algebra.fresh(3), inner = algebra.fresh(10);
  EXPECT_TRUE(algebra.unify(nested, product({outer, inner}), "view"));
  EXPECT_EQ(algebra.resolve(inner), algebra.resolve(sum({g1, g2})));
  EXPECT_EQ(algebra.resolve(v), algebra.resolve(product({outer, inner})));
}

TEST(Algebra, AFlattenedSumIsCutInItsOutermostFactor) {
  Algebra algebra;
  const AxisStructure g1 = algebra.fresh(4), g2 = algebra.fresh(6), whole = algebra.fresh(10);
  EXPECT_TRUE(algebra.unify(product({whole, number(49)}), product({sum({g1, g2}), number(49)}), "flatten"));
  EXPECT_EQ(algebra.resolve(whole), algebra.resolve(sum({g1, g2})));
}

TEST(Algebra, CutSplitsVariablesAndRefusesInsideFactors) {
  Algebra algebra;
  const AxisStructure a = algebra.fresh(10), d = algebra.fresh(4);
  const auto halves = algebra.cut(product({a, d}), 12, "slice");
  ASSERT_TRUE(halves.has_value());
  EXPECT_EQ(halves->first.size, 12);
  EXPECT_EQ(halves->second.size, 28);
  EXPECT_FALSE(algebra.cut(product({a, d}), 6, "slice").has_value());
}

TEST(Algebra, CutInsideOnePositionOfARepeatedVariableLeavesItWhole) {
  Algebra algebra;
  const AxisStructure c = algebra.fresh(29);
  const auto halves = algebra.cut(product({c, number(4)}), 58, "chunk");  // 14 whole positions and a half
  ASSERT_TRUE(halves.has_value());
  const AxisStructure whole = algebra.resolve(c);
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
  const AxisStructure v = algebra.fresh(12), a = algebra.fresh(3), b = algebra.fresh(4);
  algebra.pin(v, "input");
  algebra.unify(v, product({a, b}), "view");
  EXPECT_EQ(algebra.pinned(a.variable), "input");
  EXPECT_EQ(algebra.pinned(b.variable), "input");
}

TEST(Algebra, AFactorThatLeavesAVariableAsItIsStaysOne) {
  Algebra algebra;
  const AxisStructure v = algebra.fresh(6), one = algebra.fresh(1);
  EXPECT_TRUE(algebra.unify(v, product({one, v}), "view"));
  EXPECT_FALSE(algebra.pinned(v.variable).has_value());
  EXPECT_EQ(algebra.pinned(one.variable), "view fixes this dimension to size 1");
}

TEST(Algebra, PartsOfRadixTimesGroupsLeaveTheGroupsFree) {
  // Split attention: weights radix·groups·c, cut into `radix` parts, each of them groups·c.
  Algebra algebra;
  const AxisStructure radix = algebra.fresh(2), groups = algebra.fresh(2), c = algebra.fresh(3),
                      in = algebra.fresh(3);
  const AxisStructure channels = product({groups, in});
  const auto parts = algebra.cut(product({radix, groups, c}), 6, "chunk");
  ASSERT_TRUE(parts.has_value());
  EXPECT_TRUE(algebra.unify(channels, parts->first, "mul"));
  EXPECT_TRUE(algebra.unify(channels, parts->second, "mul"));
  EXPECT_EQ(algebra.resolve(in), algebra.resolve(c));
  for (const auto& axis : {groups, c})
    algebra.resolve(axis).for_each_variable(
        [&](const AxisStructure& leaf) { EXPECT_FALSE(algebra.pinned(leaf.variable).has_value()); });
}

TEST(Algebra, ANumberPinsWhatItMeets) {
  Algebra algebra;
  const AxisStructure v = algebra.fresh(3);
  EXPECT_TRUE(algebra.unify(v, number(3), "aten::add (head)"));
  EXPECT_EQ(algebra.pinned(v.variable), "aten::add (head) requires exactly 3 channels");
}

// ---- sizes: products without an order ----

/// A size 4·n of an axis [n·2·2], where n is 2 as well: from the right 2 would meet n.
TEST(Size, HasTheOrderOfTheAxisThatHasIt) {
  Algebra algebra;
  const AxisStructure n = algebra.fresh(2), rows = algebra.fresh(2), columns = algebra.fresh(2),
                      four = algebra.fresh(4);
  const AxisStructure read = algebra.fresh(8);
  algebra.equate_size(read, product({four, n}), "view");
  algebra.settle_sizes();
  EXPECT_TRUE(algebra.resolve(read).is_variable()) << "nothing gives it an order yet";
  EXPECT_TRUE(algebra.unify(read, product({n, rows, columns}), "view"));
  algebra.settle_sizes();
  EXPECT_EQ(algebra.resolve(read), product({n, rows, columns}));
  EXPECT_EQ(algebra.resolve(four), product({rows, columns}));
}

TEST(Size, GivesItsNumberToTheGroupThatItStandsFor) {
  Algebra algebra;
  const AxisStructure n = algebra.fresh(2), heads = algebra.fresh(3), three = algebra.fresh(3);
  algebra.equate_size(product({n, heads}), product({three, n}), "reshape");
  algebra.settle_sizes();
  algebra.pin_open_sizes();
  EXPECT_EQ(algebra.resolve(three), algebra.resolve(heads));
  EXPECT_FALSE(algebra.pinned(algebra.resolve(heads).variable));
}

TEST(Size, OfASumGivesWhatIsLeftToItsNumber) {
  Algebra algebra;
  const AxisStructure t = algebra.fresh(3), prompt = algebra.fresh(3), three = algebra.fresh(3);
  algebra.equate_size(sum({prompt, t}), sum({t, three}), "view");
  algebra.settle_sizes();
  EXPECT_EQ(algebra.resolve(three), algebra.resolve(prompt));
  EXPECT_NE(algebra.resolve(t), algebra.resolve(prompt));
}

TEST(Size, MixesSumsAndProducts) {
  // n·(1 + t) is the size of [n·(t + v)] where v stands for 1.
  Algebra algebra;
  const AxisStructure n = algebra.fresh(2), t = algebra.fresh(5), one = algebra.fresh(1);
  algebra.equate_size(product({sum({number(1), t}), n}), product({n, sum({t, one})}), "view");
  algebra.settle_sizes();
  EXPECT_TRUE(algebra.pinned(one.variable));
  EXPECT_FALSE(algebra.pinned(n.variable));
}

TEST(Size, OfThreeFactorsGivesEachItsPlaces) {
  Algebra algebra;
  const AxisStructure n = algebra.fresh(2), rows = algebra.fresh(3), columns = algebra.fresh(3),
                      heads = algebra.fresh(4);
  const AxisStructure windows = algebra.fresh(9), four = algebra.fresh(4);
  algebra.equate_size(product({n, rows, columns, heads}), product({four, windows, n}), "reshape");
  algebra.settle_sizes();
  EXPECT_EQ(algebra.resolve(four), algebra.resolve(heads));
  EXPECT_EQ(algebra.resolve(windows), product({rows, columns}));
}

TEST(Size, QuotientIsWhatTheFactorLeaves) {
  Algebra algebra;
  const AxisStructure heads = algebra.fresh(2), depth = algebra.fresh(2), channels = algebra.fresh(4);
  const AxisStructure part = algebra.fresh(2), two = algebra.fresh(2);
  algebra.equate_quotient(channels, part, two, "floordiv");
  algebra.unify(channels, product({heads, depth}), "view");
  algebra.settle_sizes();
  EXPECT_NE(algebra.resolve(two), algebra.resolve(heads)) << "equal by chance";
  algebra.unify(part, depth, "view");
  algebra.settle_sizes();
  EXPECT_EQ(algebra.resolve(two), algebra.resolve(heads));
}

TEST(Size, ThatNothingExplainsIsPinned) {
  Algebra algebra;
  const AxisStructure channels = algebra.fresh(8), part = algebra.fresh(2), four = algebra.fresh(4);
  algebra.equate_quotient(channels, part, four, "floordiv");
  algebra.settle_sizes();
  EXPECT_FALSE(algebra.pinned(channels.variable));
  algebra.pin_open_sizes();
  EXPECT_NE(algebra.pinned(channels.variable).value_or("").find("floordiv"), std::string::npos);
}

TEST(Size, ThatVariesIsNeverANumberOfTheSameSize) {
  // [n·2] and [2·n] of one size: their parts are not one, even where n is 2.
  Algebra algebra;
  const AxisStructure n = algebra.fresh(2), a = algebra.fresh(2), b = algebra.fresh(2);
  algebra.note(n, Algebra::Varies::always);
  for (const auto& number : {a, b}) algebra.note(number, Algebra::Varies::never);
  EXPECT_FALSE(algebra.unify(product({n, a}), product({b, n}), "add"));
  EXPECT_EQ(algebra.resolve(n), n);
  EXPECT_NE(algebra.resolve(a), algebra.resolve(n));
  // A variable of which nothing is known may be either, and is so from then on.
  const AxisStructure unknown = algebra.fresh(2);
  EXPECT_TRUE(algebra.unify(unknown, n, "view"));
  EXPECT_FALSE(algebra.unify(unknown, b, "add"));
}

}  // namespace
}  // namespace inn
