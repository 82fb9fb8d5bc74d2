#include "inn/grid/grid.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "finite_difference.h"
#include "inn/grid/family.h"
#include "inn/grid/tensor_grid.h"

namespace inn {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// Sums of up to 64 numbers that are rounded to float64.
constexpr double double_tolerance = 1e-14;

double distance(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

at::Tensor doubles(std::vector<double> values) { return at::tensor(values, at::kDouble); }

std::vector<std::shared_ptr<Grid>> every_kind() {
  const auto theta = at::cos(at::arange(6, at::kDouble) * 5).set_requires_grad(true);
  std::vector<std::shared_ptr<Grid>> grids;
  for (const int64_t m : {1, 2, 3, 17}) {
    grids.push_back(std::make_shared<UniformGrid>(m));
    grids.push_back(std::make_shared<TrainableGrid>(m));
    grids.push_back(std::make_shared<RandomGrid>(Uniform{static_cast<double>(m), 20}, 5));
    grids.push_back(std::make_shared<GaussLegendreGrid>(m));
    grids.push_back(std::make_shared<NestedGrid>(m, 20));
  }
  grids.push_back(std::make_shared<TrainableGrid>(theta));
  const auto parts = grids;
  grids.push_back(
      std::make_shared<CompositeGrid>(std::vector{parts[4], parts[5], parts[3], parts[8], parts[16]}));
  return grids;
}

TEST(Grid, OfEveryKindIncreasesStrictlyWithinTheInterval) {
  for (const auto& grid : every_kind()) {
    SCOPED_TRACE(fmt::format("{} of size {}", grid->kind(), grid->size()));
    const auto points = grid->points();
    EXPECT_EQ(points.scalar_type(), at::kDouble);
    EXPECT_EQ(points.sizes(), std::vector<int64_t>{grid->size()});
    EXPECT_GE(points[0].item<double>(), 0);
    EXPECT_LE(points[-1].item<double>(), 1);
    EXPECT_TRUE((points.diff() > 0).all().item<bool>());
    if (grid->size() == 1) {
      EXPECT_EQ(points.item<double>(), grid->kind() == "nested" ? 0 : 0.5);
    }
  }
}

TEST(Grid, CloneHasTheSamePointsAndSharesNothing) {
  for (const auto& grid : every_kind()) {
    SCOPED_TRACE(grid->kind());
    const auto copy = grid->clone();
    const auto before = grid->points().detach().clone();
    EXPECT_TRUE(at::equal(copy->points(), before));
    EXPECT_EQ(copy->kind(), grid->kind());
    grid->draw();
    for (auto& parameter : grid->parameters())
      parameter.detach().add_(at::arange(parameter.size(0), at::kDouble));
    EXPECT_TRUE(at::equal(copy->points(), before));
  }
}

TEST(UniformGrid, DividesTheIntervalEqually) {
  EXPECT_TRUE(at::equal(UniformGrid(5).points(), doubles({0, 0.25, 0.5, 0.75, 1})));
  EXPECT_TRUE(at::equal(UniformGrid(2).points(), doubles({0, 1})));
}

TEST(NestedGrid, HalvesTheWidestGap) {
  const auto nodes = [](int64_t m) { return (NestedGrid(m, 9).points() * 8).round(); };
  EXPECT_TRUE(at::equal(nodes(1), doubles({0})));
  EXPECT_TRUE(at::equal(nodes(2), doubles({0, 8})));
  EXPECT_TRUE(at::equal(nodes(3), doubles({0, 4, 8})));
  EXPECT_TRUE(at::equal(nodes(4), doubles({0, 2, 4, 8})));
  EXPECT_TRUE(at::equal(nodes(6), doubles({0, 1, 2, 4, 6, 8})));
  EXPECT_TRUE(at::equal(NestedGrid(9, 9).points(), uniform_points(9)));
}

/// By the definition alone: each time all gaps are looked at.
std::vector<int64_t> halved_one_by_one(int64_t n) {
  if (n == 1) return {0};
  std::vector<int64_t> order{0, n - 1}, sorted{0, n - 1};
  while (static_cast<int64_t>(sorted.size()) < n) {
    size_t widest = 1;
    for (size_t k = 2; k < sorted.size(); ++k)
      if (sorted[k] - sorted[k - 1] > sorted[widest] - sorted[widest - 1]) widest = k;
    const int64_t middle = (sorted[widest - 1] + sorted[widest]) / 2;
    order.push_back(middle);
    sorted.insert(sorted.begin() + static_cast<int64_t>(widest), middle);
  }
  return order;
}

TEST(NestedGrid, TakesTheMiddleOfTheWidestGapEachTime) {
  for (int64_t n = 1; n <= 300; ++n) EXPECT_EQ(nested_order(n), halved_one_by_one(n)) << n;
  EXPECT_EQ(nested_order(1000), halved_one_by_one(1000));
  const auto order = at::tensor(nested_order(100));
  for (const int64_t m : {1, 2, 17, 64, 99, 100}) {
    const auto chosen = std::get<0>(order.narrow(0, 0, m).sort());
    EXPECT_TRUE(at::equal(NestedGrid(m, 100).points(), uniform_points(100).index_select(0, chosen))) << m;
  }
}

TEST(NestedGrid, PointsAreAmongThoseOfEveryGreaterWidth) {
  for (const int64_t n : {1, 2, 7, 16, 33})
    for (int64_t m = 1; m < n; ++m) {
      const auto few = NestedGrid(m, n).points(), more = NestedGrid(m + 1, n).points();
      EXPECT_TRUE(at::isin(few, more).all().item<bool>()) << m << " of " << n;
    }
  EXPECT_THAT([] { NestedGrid(5, 4); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("count of points must be in [1, 4] but got 5")));
}

TEST(GridFamily, IsTheUniformGridAtTheSourceWidthAndBeyond) {
  for (const auto& name : grid_family_names())
    for (const int64_t m : {7, 12})
      EXPECT_TRUE(at::equal(find_grid_family(name).make(m, 7)->points(), uniform_points(m))) << name;
  EXPECT_THAT([] { find_grid_family("nestd"); }, ThrowsMessage<std::invalid_argument>(HasSubstr("'nested'")));
}

TEST(TrainableGrid, StartsUniformAndKeepsItsEndsForEveryTheta) {
  for (const int64_t m : {2, 3, 10, 64})
    EXPECT_LE(distance(TrainableGrid(m).points(), uniform_points(m)), double_tolerance);
  for (const double scale : {0.1, 1.0, 5.0}) {
    const auto points = TrainableGrid(at::randn({40}, at::kDouble) * scale).points();
    EXPECT_EQ(points[0].item<double>(), 0);
    EXPECT_EQ(points[-1].item<double>(), 1);
    EXPECT_TRUE((points.diff() > 0).all().item<bool>());
  }
  EXPECT_TRUE(TrainableGrid(1).parameters().empty());
}

TEST(TrainableGrid, PointsAreTheSumsOfASoftmax) {
  const auto points = TrainableGrid(doubles({std::log(1.0), std::log(2.0), std::log(5.0)})).points();
  EXPECT_LE(distance(points, doubles({0, 0.125, 0.375, 1})), double_tolerance);
}

TEST(TrainableGrid, StartsAtGivenPoints) {
  const auto points = doubles({0, 0.1, 0.15, 0.8, 1});
  EXPECT_LE(distance(TrainableGrid::at_points(points).points(), points), double_tolerance);
  EXPECT_TRUE(TrainableGrid::at_points(points).parameters()[0].requires_grad());
  EXPECT_THROW(TrainableGrid::at_points(doubles({0, 0.5, 0.5, 1})), std::invalid_argument);
  EXPECT_THROW(TrainableGrid::at_points(doubles({0, 0.9})), std::invalid_argument);
}

TEST(TrainableGrid, GradientsReachTheta) {
  const auto of_grid = [](const std::vector<at::Tensor>& in) { return TrainableGrid(in[0]).points(); };
  test::expect_gradients(of_grid, {at::randn({1}, at::kDouble)});
  test::expect_gradients(of_grid, {at::randn({9}, at::kDouble)});
  const auto of_parts = [](const std::vector<at::Tensor>& in) {
    const auto part = std::make_shared<TrainableGrid>(in[0]);
    return CompositeGrid({part, std::make_shared<UniformGrid>(3), part}, {0, 0.2, 0.9, 1}).points();
  };
  test::expect_gradients(of_parts, {at::randn({4}, at::kDouble)});
}

TEST(RandomGrid, IsUniformOfADrawnSizeAlikeForEqualSeeds) {
  RandomGrid grid(Uniform{3, 6}, 11), other(Uniform{3, 6}, 11);
  std::vector<int64_t> seen(7, 0);
  for (int step = 0; step < 200; ++step) {
    EXPECT_EQ(grid.size(), other.size());
    EXPECT_TRUE(at::equal(grid.points(), uniform_points(grid.size())));
    ++seen.at(static_cast<size_t>(grid.size()));
    grid.draw();
    other.draw();
  }
  for (const int64_t size : {3, 4, 5, 6}) EXPECT_GT(seen[static_cast<size_t>(size)], 0);
}

TEST(GaussLegendreGrid, HasTheKnownZeros) {
  const double third = std::sqrt(0.6) / 2;
  EXPECT_LE(distance(GaussLegendreGrid(2).points(),
                     doubles({0.5 - std::sqrt(1.0 / 12), 0.5 + std::sqrt(1.0 / 12)})),
            double_tolerance);
  EXPECT_LE(distance(GaussLegendreGrid(3).points(), doubles({0.5 - third, 0.5, 0.5 + third})),
            double_tolerance);
  const auto many = GaussLegendreGrid(200).points();
  EXPECT_LE(distance(many + many.flip(0), at::ones({200}, at::kDouble)), double_tolerance);
}

TEST(CompositeGrid, PutsGridsSideBySideWithSharedEndsOnce) {
  const auto three = std::make_shared<UniformGrid>(3), one = std::make_shared<UniformGrid>(1);
  const CompositeGrid grid({three, three, one}, {0, 0.5, 0.75, 1});
  EXPECT_TRUE(at::equal(grid.points(), doubles({0, 0.25, 0.5, 0.625, 0.75, 0.875})));
  EXPECT_EQ(grid.size(), 6);
  EXPECT_TRUE(at::equal(CompositeGrid({three, three}).points(), uniform_points(5)));
}

TEST(TensorGrid, ListsAllCombinationsLastAxisFastest) {
  const TensorGrid grid({std::make_shared<UniformGrid>(2), std::make_shared<UniformGrid>(3)});
  const auto expected = doubles({0, 0, 0, 0.5, 0, 1, 1, 0, 1, 0.5, 1, 1}).view({6, 2});
  EXPECT_TRUE(at::equal(grid.points(), expected));
  EXPECT_EQ(grid.sizes(), (std::vector<int64_t>{2, 3}));
  TensorGrid learning({std::make_shared<TrainableGrid>(4), std::make_shared<UniformGrid>(3)});
  EXPECT_EQ(learning.parameters().size(), 1u);
  EXPECT_TRUE(learning.points().requires_grad());
}

TEST(Grid, RefusesWhatIsNoGrid) {
  const auto text = [](const char* part) { return ThrowsMessage<std::invalid_argument>(HasSubstr(part)); };
  EXPECT_THAT([] { UniformGrid(0); },
              text("[grid] Grid 'uniform': the count of points must be at least 1 but got 0."));
  EXPECT_THAT([] { TrainableGrid(-3); }, text("Grid 'trainable'"));
  EXPECT_THAT([] { TrainableGrid(at::ones({2, 2})); }, text("theta must be a floating point vector"));
  EXPECT_THAT([] { GaussLegendreGrid(0); }, text("Grid 'gauss-legendre'"));
  const auto part = std::make_shared<UniformGrid>(2);
  EXPECT_THAT([&] { CompositeGrid({part, part}, {0, 1}); }, text("2 parts need 3 bounds"));
  EXPECT_THAT(
      [&] {
        CompositeGrid({part, part}, {0, 0, 1});
      },
      text("increase strictly from 0 to 1 but got [0, 0, 1]"));
  EXPECT_THAT([&] { CompositeGrid({part, nullptr}); }, text("a part is null"));
  EXPECT_THAT([&] { CompositeGrid(std::vector<std::shared_ptr<Grid>>{}); }, text("at least one part"));
  EXPECT_THAT([&] { TensorGrid({part, nullptr}); }, text("axis 1 is null"));
}

TEST(FixedGrid, HoldsThePointsItIsGiven) {
  const auto points = at::tensor({0.1, 0.15, 0.9}, at::kDouble).requires_grad_();
  const FixedGrid grid(points, "chosen");
  EXPECT_TRUE(at::equal(grid.points(), points));
  EXPECT_FALSE(grid.points().requires_grad());
  EXPECT_EQ(grid.size(), 3);
  EXPECT_EQ(grid.kind(), "chosen");
  EXPECT_TRUE(grid.parameters().empty());
  const auto copy = grid.clone();
  EXPECT_TRUE(at::equal(copy->points(), points));
  EXPECT_NE(copy->points().data_ptr(), grid.points().data_ptr());
  EXPECT_EQ(FixedGrid(at::tensor({0.5f})).points().scalar_type(), at::kDouble);
  for (const auto& wrong :
       {at::tensor({0.2, 0.2}, at::kDouble), at::tensor({-0.1, 0.2}, at::kDouble),
        at::tensor({0.5, 1.1}, at::kDouble), at::tensor({std::nan("")}, at::kDouble),
        at::zeros({0}, at::kDouble), at::zeros({1, 1}, at::kDouble), at::zeros({1}, at::kLong)})
    EXPECT_THROW(FixedGrid{wrong}, std::invalid_argument);
}

}  // namespace
}  // namespace inn
