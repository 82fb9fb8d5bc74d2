#include "inn/ordering/path_cost.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "inn/ordering/shortest_path.h"

namespace inn {
namespace {

constexpr double kSumTolerance = 2e-5;  // sums of some thousand float32 terms
constexpr double kFloat64Rounding = 1e-13;

std::vector<int64_t> as_they_are(int64_t n) {
  const at::Tensor order = at::arange(n);
  return {order.data_ptr<int64_t>(), order.data_ptr<int64_t>() + n};
}

TEST(TotalVariation, AddsTheStepsFromRowToRow) {
  EXPECT_EQ(total_variation(at::tensor({0.0, 1.0, 3.0, 1.0, 2.0, 2.0}).view({3, 2})), 3 + 2);
  EXPECT_EQ(total_variation(at::ones({1, 4})), 0);
  EXPECT_EQ(total_variation(at::ones({5, 4})), 0);
}

TEST(PathCost, EqualsTheFormula) {
  at::manual_seed(1);
  // The widths cross the border of a block of columns.
  const std::vector<at::Tensor> rows{at::randn({70, 5000}), at::randn({70, 1}),
                                     at::randn({70, 27}, at::kDouble)};
  at::Tensor expected = at::zeros({70, 70}, at::kDouble);
  for (const auto& matrix : rows) {
    const at::Tensor wide = matrix.to(at::kDouble);
    const at::Tensor distance = (wide.unsqueeze(0) - wide.unsqueeze(1)).abs().sum(2);
    expected += distance / distance.diagonal(1).sum();
  }
  const at::Tensor cost = path_cost(rows);
  EXPECT_EQ(cost.scalar_type(), at::kFloat);
  EXPECT_TRUE(at::allclose(cost.to(at::kDouble), expected, kSumTolerance, 0));
  EXPECT_TRUE(at::equal(cost, cost.t()));
}

TEST(PathCost, EqualsTheFormulaAcrossBlocksAndStrides) {
  // More rows than a block and no multiple of a panel, more columns than are copied at once, rows that lie
  // along memory and across it.
  at::manual_seed(9);
  for (const int64_t n : {127, 128, 129, 300}) {
    const at::Tensor along = at::randn({n, 2100}), across = at::randn({45, n}).t();
    at::Tensor expected = at::zeros({n, n}, at::kDouble);
    for (const auto& matrix : {along.to(at::kDouble), across.to(at::kDouble)}) {
      const at::Tensor distance = at::cdist(matrix, matrix, 1);
      expected += distance / distance.diagonal(1).sum();
    }
    const at::Tensor cost = path_cost({along, across});
    EXPECT_TRUE(at::allclose(cost.to(at::kDouble), expected, kSumTolerance, 0)) << n;
    EXPECT_TRUE(at::equal(cost, cost.t())) << n;
    EXPECT_EQ(cost.diagonal().abs().max().item<float>(), 0) << n;
  }
}

TEST(DistanceSums, EqualTheFormula) {
  at::manual_seed(10);
  for (const int64_t n : {1, 2, 7, 8, 9, 128, 129, 300}) {
    for (const int64_t k : {1, 300}) {
      const at::Tensor rows = at::randn({n, k}, at::kDouble);
      const at::Tensor expected = (rows.unsqueeze(0) - rows.unsqueeze(1)).square().sum(2).sqrt().sum(1);
      const at::Tensor sums = distance_sums(rows);
      EXPECT_TRUE(at::allclose(sums, expected, kFloat64Rounding, 0)) << n << " " << k;
    }
  }
  const at::Tensor strided = at::randn({20, 40}).t().slice(0, 0, 40, 2);
  EXPECT_TRUE(at::equal(distance_sums(strided), distance_sums(strided.to(at::kDouble).contiguous())));
}

TEST(DistanceSums, KeepTheDigitsOfSmallDistances) {
  const at::Tensor rows = 1e6 + 1e-3 * at::arange(5, at::kDouble).unsqueeze(1);
  const at::Tensor steps = at::arange(5, at::kDouble);
  const at::Tensor expected = 1e-3 * (steps.unsqueeze(0) - steps.unsqueeze(1)).abs().sum(1);
  EXPECT_TRUE(at::allclose(distance_sums(rows), expected, 1e-6, 0));  // 1e6 holds 1e-3 to 1e-7
}

TEST(DistanceSums, RefuseWhatIsNoMatrix) {
  EXPECT_THROW(distance_sums(at::ones({3})), std::invalid_argument);
  EXPECT_THROW(distance_sums(at::ones({3, 2}, at::kLong)), std::invalid_argument);
}

TEST(PathCost, GivesTheCurrentOrderTheLengthOfOneATensor) {
  at::manual_seed(2);
  const at::Tensor cost = path_cost({at::randn({40, 9}), 100 * at::randn({40, 3}), at::ones({40, 2})});
  EXPECT_NEAR(path_length(cost, as_they_are(40)), 2, kSumTolerance);  // the third has no variation
}

TEST(PathCost, IsTheTotalVariationOfThePermutedTensor) {
  at::manual_seed(3);
  const at::Tensor rows = at::randn({50, 20});
  const at::Tensor cost = path_cost({rows});
  const std::vector<int64_t> order = shortest_path(cost);
  const at::Tensor permuted = rows.index_select(0, at::tensor(order));
  EXPECT_NEAR(path_length(cost, order), total_variation(permuted) / total_variation(rows), kSumTolerance);
  EXPECT_LT(total_variation(permuted), total_variation(rows));
}

TEST(PathCost, OrdersAShuffledSmoothTensorAsItWas) {
  const at::Tensor x = at::linspace(0, 1, 64).unsqueeze(1);
  const at::Tensor smooth = at::cat({x, (2 * x).exp(), -x * x}, 1);  // each column is monotone
  at::manual_seed(4);
  const at::Tensor shuffle = at::randperm(64);
  const std::vector<int64_t> order = shortest_path(path_cost({smooth.index_select(0, shuffle)}));
  at::Tensor found = shuffle.index_select(0, at::tensor(order));
  if (found[0].item<int64_t>() > 0) found = found.flip(0);
  EXPECT_TRUE(at::equal(found, at::arange(64)));
}

TEST(PathCost, WorksForOneAndForTwoChannels) {
  EXPECT_TRUE(at::equal(path_cost({at::ones({1, 3})}), at::zeros({1, 1})));
  EXPECT_TRUE(at::equal(path_cost({at::tensor({1.0F, 4.0F}).view({2, 1})}), 1 - at::eye(2)));
}

TEST(PathCost, RefusesWhatDoesNotFit) {
  EXPECT_THAT([] { path_cost({}); },
              testing::ThrowsMessage<std::invalid_argument>(
                  "[ordering] path_cost: at least one matrix of rows is required but got none."));
  EXPECT_THAT(
      [] {
        path_cost({at::ones({3, 2}), at::ones({4, 2})});
      },
      testing::ThrowsMessage<std::invalid_argument>(
          "[ordering] path_cost: matrix 1 must have 3 rows as the first but has 4."));
  EXPECT_THAT(
      [] {
        path_cost({at::ones({3, 2, 1})});
      },
      testing::ThrowsMessage<std::invalid_argument>(testing::HasSubstr("floating matrix [n, k]")));
  EXPECT_THAT(
      [] {
        path_cost({at::full({3, 2}, std::numeric_limits<float>::quiet_NaN())});
      },
      testing::ThrowsMessage<std::invalid_argument>(testing::HasSubstr("matrix 0 holds NaN or infinity")));
}

}  // namespace
}  // namespace inn
