#include "inn/axis_map/axis_map.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "finite_difference.h"

namespace inn {
namespace {

using Kind = AxisMap::Kind;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// Sums of at most eight products of numbers of order 1 in float64.
constexpr double double_tolerance = 1e-13;

at::Tensor long_matrix(std::vector<int64_t> values, int64_t rows) {
  return at::tensor(values, at::kLong).view({rows, -1});
}

struct Case {
  std::string name;
  AxisMap map;
  at::Tensor matrix;  // written out by hand or drawn, never by to_dense
};

/// One map of every kind from width 5, with its matrix.
std::vector<Case> cases() {
  at::manual_seed(1);
  std::vector<Case> list;
  list.push_back({"identity", AxisMap::identity(5), at::eye(5, at::kDouble)});
  auto selection = at::zeros({3, 5}, at::kDouble);
  selection[0][4] = 1;
  selection[1][0] = 1;
  selection[2][4] = 1;
  list.push_back({"selection", AxisMap::select({4, 0, 4}, 5), selection});
  auto taps = at::zeros({4, 5}, at::kDouble);
  taps[0][0] = 0.25;
  taps[0][1] = 0.75;
  taps[1][2] = 3.0;  // 1 + 2: the index stands twice
  taps[2][4] = -1.0;
  taps[2][0] = 0.5;
  taps[3][1] = 2.0;
  const auto weight = at::tensor({0.25, 0.75, 1.0, 2.0, -1.0, 0.5, 2.0, 0.0}, at::kDouble).view({4, 2});
  list.push_back({"taps", AxisMap::taps(long_matrix({0, 1, 2, 2, 4, 0, 1, 3}, 4), weight, 5), taps});
  const auto matrix = at::randn({6, 5}, at::kDouble);
  list.push_back({"dense", AxisMap::dense(matrix), matrix});
  return list;
}

void expect_equal(const at::Tensor& got, const at::Tensor& expected, double tolerance = double_tolerance) {
  ASSERT_EQ(got.sizes(), expected.sizes());
  ASSERT_EQ(got.scalar_type(), expected.scalar_type());
  EXPECT_LE((got - expected).abs().max().item<double>(), tolerance);
}

TEST(AxisMap, AppliesAsItsMatrixOnEveryAxis) {
  for (const auto& [name, map, matrix] : cases()) {
    SCOPED_TRACE(name);
    EXPECT_EQ(map.rows(), matrix.size(0));
    EXPECT_EQ(map.cols(), matrix.size(1));
    expect_equal(map.to_dense(), matrix, 0);
    expect_equal(map.apply(at::arange(5, at::kDouble), 0), matrix.matmul(at::arange(5, at::kDouble)));
    const auto x = at::randn({5, 5, 5}, at::kDouble);
    expect_equal(map.apply(x, 0), at::einsum("ji,iab->jab", {matrix, x}));
    expect_equal(map.apply(x, 1), at::einsum("ji,aib->ajb", {matrix, x}));
    expect_equal(map.apply(x, -1), at::einsum("ji,abi->abj", {matrix, x}));
    expect_equal(map.apply(x.permute({2, 0, 1}), 1),
                 at::einsum("ji,aib->ajb", {matrix, x.permute({2, 0, 1})}));
  }
}

TEST(AxisMap, MapsTheMiddleFactorOfAProduct) {
  for (const auto& [name, map, matrix] : cases()) {
    SCOPED_TRACE(name);
    const auto x = at::randn({2, 3 * 5 * 4, 2}, at::kDouble);
    const auto expected = at::einsum("ji,aoikb->aojkb", {matrix, x.view({2, 3, 5, 4, 2})})
                              .reshape({2, 3 * matrix.size(0) * 4, 2});
    expect_equal(map.apply(x, 1, 3, 4), expected);
    expect_equal(map.expand(3, 4).apply(x, -2), expected);
    EXPECT_EQ(map.expand(3, 4).kind(), map.kind());
  }
}

TEST(AxisMap, ScalesRowsAndColumns) {
  const auto q = at::randn({5}, at::kDouble);
  for (const auto& [name, map, matrix] : cases()) {
    SCOPED_TRACE(name);
    const auto r = at::randn({map.rows()}, at::kDouble);
    expect_equal(map.scale_rows(r).to_dense(), at::diag(r).matmul(matrix));
    expect_equal(map.scale_columns(q).to_dense(), matrix.matmul(at::diag(q)));
  }
}

TEST(AxisMap, ComposesAndTransposesAsMatricesDo) {
  for (const auto& first : cases()) {
    expect_equal(first.map.transpose().to_dense(), first.matrix.t());
    expect_equal(first.map.transpose().apply(at::ones({first.map.rows()}, at::kDouble), 0),
                 first.matrix.sum(0));
    for (const auto& then : cases()) {
      SCOPED_TRACE(then.name + " after " + first.name);
      // Every map starts from width 5, so the second one is put behind a selection of 5 of the first one's
      // rows.
      const auto five = AxisMap::select({0, 1, 2, 1, 0}, first.map.rows());
      const auto middle = five.after(first.map);
      EXPECT_EQ(middle.kind(), first.map.is_identity() ? Kind::selection : first.map.kind());
      expect_equal(then.map.after(middle).to_dense(),
                   then.matrix.matmul(at::stack({first.matrix[0], first.matrix[1], first.matrix[2],
                                                 first.matrix[1], first.matrix[0]})));
    }
  }
}

TEST(AxisMap, TransposeOfManyTapsOnOneColumnIsRight) {
  const auto weight = at::randn({40, 1}, at::kDouble);
  const auto map = AxisMap::taps(at::zeros({40, 1}, at::kLong), weight, 3);
  expect_equal(map.transpose().to_dense(), at::cat({weight.t(), at::zeros({2, 40}, at::kDouble)}), 0);
}

TEST(AxisMap, DirectSumIsBlockDiagonal) {
  for (const auto& a : cases()) {
    for (const auto& b : cases()) {
      SCOPED_TRACE(a.name + " + " + b.name);
      const auto sum = AxisMap::direct_sum(std::vector{a.map, b.map, AxisMap::identity(2)});
      EXPECT_EQ(sum.kind(), std::max(a.map.kind(), b.map.kind()));
      expect_equal(sum.to_dense(), at::block_diag({a.matrix, b.matrix, at::eye(2, at::kDouble)}), 0);
    }
  }
}

TEST(AxisMap, IdentityReturnsTheTensorItself) {
  const auto x = at::randn({2, 12});
  EXPECT_TRUE(AxisMap::identity(12).apply(x, 1).is_same(x));
  EXPECT_TRUE(AxisMap::identity(3).apply(x, 1, 2, 2).is_same(x));
  EXPECT_TRUE(AxisMap::select({0, 1, 2}, 3).is_identity());
  EXPECT_FALSE(AxisMap::select({0, 1}, 3).is_identity());
  EXPECT_FALSE(AxisMap::identity(3).scale_rows(at::ones({3})).is_identity());
}

TEST(AxisMap, WorksInTheDtypeOfTheTensor) {
  for (const auto& [name, map, matrix] : cases()) {
    SCOPED_TRACE(name);
    const auto x = at::randn({5, 3}, at::kFloat);
    // Rounding of at most five products in float32, of numbers below 8.
    expect_equal(map.apply(x, 0), matrix.to(at::kFloat).matmul(x), 1e-5);
    EXPECT_EQ(map.apply(x.to(at::kBFloat16), 0).scalar_type(), at::kBFloat16);
    EXPECT_EQ(map.to(at::kFloat).apply(x, 0).scalar_type(), at::kFloat);
  }
  const auto integers = at::arange(5, at::kLong);
  EXPECT_TRUE(at::equal(AxisMap::select({4, 0, 4}, 5).apply(integers, 0), at::tensor({4, 0, 4}, at::kLong)));
}

TEST(AxisMap, PreparedGivesTheSameAndCopiesNothingMore) {
  for (const auto& [name, map, matrix] : cases()) {
    for (const auto dtype : {at::kDouble, at::kFloat, at::kBFloat16, at::kHalf, at::kComplexDouble}) {
      SCOPED_TRACE(name + " " + at::toString(dtype));
      const auto x = at::randn({3, 5, 2}, at::kDouble).to(dtype);
      const AxisMap prepared = map.prepared_for(x);
      EXPECT_EQ(prepared.kind(), map.kind());
      EXPECT_TRUE(at::equal(prepared.apply(x, 1), map.apply(x, 1)));
      EXPECT_TRUE(at::equal(prepared.apply(x.transpose(1, 2), 2), map.apply(x.transpose(1, 2), 2)));
      // As a part of a map of a whole axis.
      const std::vector<AxisMap> parts{map, map}, prepared_parts{prepared, prepared};
      const auto wide = at::cat({x, x}, 1);
      EXPECT_TRUE(at::equal(AxisMap::direct_sum(prepared_parts).apply(wide, 1),
                            AxisMap::direct_sum(parts).apply(wide, 1)));
      EXPECT_EQ(prepared.prepared_for(x).nbytes(), prepared.nbytes());
    }
  }
  EXPECT_EQ(AxisMap::identity(7).nbytes(), 0);
  EXPECT_EQ(AxisMap::dense(at::ones({3, 5}, at::kFloat)).nbytes(), 3 * 5 * 4);
}

TEST(AxisMap, GradientsReachTheTensorAndTheWeights) {
  const auto index = long_matrix({0, 1, 2, 2, 4, 0, 1, 3}, 4);
  const auto x = at::randn({2, 5, 3}, at::kDouble), weight = at::randn({4, 2}, at::kDouble);
  const auto of_taps = [&](auto use) {
    return [=](const std::vector<at::Tensor>& in) { return use(AxisMap::taps(index, in[1], 5), in[0]); };
  };
  test::expect_gradients(of_taps([](const AxisMap& map, const at::Tensor& t) { return map.apply(t, 1); }),
                         {x, weight});
  test::expect_gradients(
      of_taps([](const AxisMap& map, const at::Tensor& t) { return map.transpose().after(map).apply(t, 1); }),
      {x, weight});
  test::expect_gradients(
      of_taps([](const AxisMap& map, const at::Tensor& t) {
        const auto sum = AxisMap::direct_sum(std::vector{map, AxisMap::identity(1)}).expand(1, 2);
        return sum.apply(at::cat({t, t, t}, 1).narrow(1, 0, 12), 1);
      }),
      {x, weight});
  const auto q = at::randn({4}, at::kDouble), p = at::randn({5}, at::kDouble);
  test::expect_gradients(
      [&](const std::vector<at::Tensor>& in) {
        return AxisMap::taps(index, in[0], 5).scale_rows(in[1]).scale_columns(in[2]).apply(x, 1);
      },
      {weight, q, p});
  test::expect_gradients(
      [](const std::vector<at::Tensor>& in) {
        return AxisMap::dense(in[1]).scale_columns(in[2]).apply(in[0], 1);
      },
      {x, at::randn({3, 5}, at::kDouble), p});
  test::expect_gradients(
      [](const std::vector<at::Tensor>& in) {
        return AxisMap::select({3, 3, 0}, 5).apply(in[0], 1);
      },
      {x});
}

TEST(AxisMap, RefusesWhatIsNoMap) {
  const auto index = long_matrix({0, 1}, 1);
  const auto weight = at::ones({1, 2});
  const auto text = [](const char* part) { return ThrowsMessage<std::invalid_argument>(HasSubstr(part)); };
  EXPECT_THAT([] { AxisMap::identity(0); },
              text("[axis_map] AxisMap::identity: the width must be at least 1 but got 0."));
  EXPECT_THAT([] { AxisMap::select({}, 3); }, text("at least one index"));
  EXPECT_THAT([] { AxisMap::select({0, 3}, 3); }, text("indices must be in [0, 3) but index 1 is 3."));
  EXPECT_THAT([&] { AxisMap::taps(index, weight, 1); },
              text("indices must be in [0, 1) but they span [0, 1]."));
  EXPECT_THAT([&] { AxisMap::taps(index, at::ones({2, 2}), 2); }, text("of shape [1, 2]"));
  EXPECT_THAT([&] { AxisMap::taps(weight, weight, 2); }, text("int64 matrix"));
  EXPECT_THAT([&] { AxisMap::dense(index); }, text("floating point matrix"));
  EXPECT_THAT([] { AxisMap::direct_sum({}); }, text("at least one map"));
  const auto map = AxisMap::select({0, 2}, 3);
  EXPECT_THAT(
      [&] {
        map.apply(at::ones({2, 4}), 1);
      },
      text("must have width 3 but a tensor of shape [2, 4] came."));
  EXPECT_THAT([&] { map.apply(at::ones({3}), 1); }, text("must be one of the tensor's 1 but got 1."));
  EXPECT_THAT([&] { map.apply(at::ones({10}), 0, 2, 2); }, text("must have width 2·3·2"));
  EXPECT_THAT([&] { map.apply(at::ones({3}), 0, 0, 1); }, text("must be at least 1"));
  EXPECT_THAT([&] { map.scale_rows(at::ones({3})); }, text("of length 2 but got shape [3]"));
  EXPECT_THAT([&] { map.after(AxisMap::identity(2)); }, text("must give width 3 but gives 2."));
  EXPECT_THAT([&] { map.scale_rows(at::ones({2})).apply(at::ones({3}, at::kLong), 0); },
              text("floating point tensors"));
}

}  // namespace
}  // namespace inn
