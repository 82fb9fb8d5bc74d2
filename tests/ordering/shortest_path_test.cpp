#include "inn/ordering/shortest_path.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>

namespace inn {
namespace {

using Order = std::vector<int64_t>;

// The search compares in float32; two paths it can't tell apart differ by less.
constexpr double kFloat32Tolerance = 1e-5;

Order identity(int64_t n) {
  Order order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  return order;
}

at::Tensor random_points_cost(int64_t n, int64_t dimensions, uint64_t seed) {
  at::manual_seed(seed);
  const at::Tensor points = at::rand({n, dimensions}, at::kDouble);
  return at::cdist(points, points);
}

/// Distances that obey no triangle inequality.
at::Tensor random_cost(int64_t n, uint64_t seed) {
  at::manual_seed(seed);
  const at::Tensor half = at::rand({n, n}, at::kDouble).triu(1);
  return half + half.t();
}

double brute_force(const at::Tensor& cost) {
  Order order = identity(cost.size(0));
  double best = std::numeric_limits<double>::infinity();
  const auto values = cost.accessor<double, 2>();
  do {
    double length = 0;
    for (size_t k = 1; k < order.size(); ++k) length += values[order[k - 1]][order[k]];
    best = std::min(best, length);
  } while (std::next_permutation(order.begin(), order.end()));
  return best;
}

/// Held and Karp's dynamic program over subsets.
double exact_length(const at::Tensor& cost) {
  const auto n = static_cast<size_t>(cost.size(0));
  const auto values = cost.accessor<double, 2>();
  const auto at = [&](size_t i, size_t j) {
    return values[static_cast<int64_t>(i)][static_cast<int64_t>(j)];
  };
  std::vector<double> least((size_t{1} << n) * n, std::numeric_limits<double>::infinity());
  for (size_t i = 0; i < n; ++i) least[(size_t{1} << i) * n + i] = 0;
  for (size_t set = 1; set < size_t{1} << n; ++set) {
    for (size_t last = 0; last < n; ++last) {
      if ((set >> last & 1) == 0) continue;
      for (size_t next = 0; next < n; ++next) {
        if ((set >> next & 1) != 0) continue;
        double& entry = least[(set | size_t{1} << next) * n + next];
        entry = std::min(entry, least[set * n + last] + at(last, next));
      }
    }
  }
  return *std::min_element(least.end() - static_cast<std::ptrdiff_t>(n), least.end());
}

void expect_permutation(Order order, int64_t n) {
  std::sort(order.begin(), order.end());
  EXPECT_EQ(order, identity(n));
}

TEST(ShortestPath, EqualsBruteForceForSmallN) {
  for (int64_t n = 1; n <= 8; ++n) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
      for (const at::Tensor& cost : {random_points_cost(n, 2, seed), random_cost(n, seed)}) {
        const Order order = shortest_path(cost, {.seed = seed});
        expect_permutation(order, n);
        EXPECT_NEAR(path_length(cost, order), brute_force(cost), kFloat32Tolerance)
            << "n " << n << " seed " << seed;
      }
    }
  }
  const at::Tensor cost = random_cost(9, 77);
  EXPECT_NEAR(path_length(cost, shortest_path(cost)), brute_force(cost), kFloat32Tolerance);
}

TEST(ShortestPath, EqualsTheDynamicProgram) {
  for (const int64_t n : {11, 12, 13, 14}) {
    for (uint64_t seed = 0; seed < 5; ++seed) {
      for (const at::Tensor& cost :
           {random_points_cost(n, 2, seed), random_points_cost(n, 10, seed), random_cost(n, seed)}) {
        EXPECT_NEAR(path_length(cost, shortest_path(cost, {.seed = seed})), exact_length(cost),
                    kFloat32Tolerance)
            << "n " << n << " seed " << seed;
      }
    }
  }
}

TEST(ShortestPath, FindsThePointsOfALineInTheirOrder) {
  for (const int64_t n : {3, 10, 200}) {
    at::manual_seed(static_cast<uint64_t>(n));
    const at::Tensor shuffle = at::randperm(n);
    const at::Tensor points = shuffle.to(at::kDouble).square().unsqueeze(1);  // uneven spacing, increasing
    const Order order = shortest_path(at::cdist(points, points));
    Order sorted;
    for (const int64_t node : order) sorted.push_back(shuffle[node].item<int64_t>());
    if (sorted.front() > sorted.back()) std::reverse(sorted.begin(), sorted.end());
    EXPECT_EQ(sorted, identity(n)) << "n " << n;
  }
}

TEST(ShortestPath, GoesRoundACircleAndLeavesOutOneStep) {
  constexpr int64_t kPoints = 150;
  at::manual_seed(4);
  const at::Tensor angle = at::randperm(kPoints).to(at::kDouble) * (2 * M_PI / kPoints);
  const at::Tensor points = at::stack({angle.cos(), angle.sin()}, 1);
  const at::Tensor cost = at::cdist(points, points);
  const double chord = 2 * std::sin(M_PI / kPoints);
  EXPECT_NEAR(path_length(cost, shortest_path(cost)), (kPoints - 1) * chord, kFloat32Tolerance);
}

TEST(ShortestPath, IsAFunctionOfTheSeed) {
  const at::Tensor cost = random_points_cost(300, 8, 1);
  const Order order = shortest_path(cost, {.steps = 500, .seed = 3});
  EXPECT_EQ(order, shortest_path(cost, {.steps = 500, .seed = 3}));
  EXPECT_NE(order, shortest_path(cost, {.steps = 500, .seed = 4}));
  EXPECT_LT(order.front(), order.back());
}

TEST(ShortestPath, IsNeverLongerThanTheOrderThatWasThere) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    at::manual_seed(seed);
    const at::Tensor points = std::get<0>(at::rand({60, 1}, at::kDouble).sort(0));  // the best order already
    const at::Tensor cost = at::cdist(points, points);
    EXPECT_EQ(shortest_path(cost, {.steps = 100, .seed = seed}), identity(60));
  }
  EXPECT_EQ(shortest_path(at::ones({40, 40})), identity(40));  // nothing is better than anything
  EXPECT_EQ(shortest_path(at::zeros({40, 40})), identity(40));
}

TEST(ShortestPath, MoreStepsFindShorterPaths) {
  const at::Tensor cost = random_points_cost(400, 2, 5);
  const double start = path_length(cost, identity(400));
  const double local = path_length(cost, shortest_path(cost, {.steps = 0}));
  const double searched = path_length(cost, shortest_path(cost));
  EXPECT_LT(local, 0.1 * start);
  EXPECT_LT(searched, 0.98 * local);
  // Uniform points in the unit square: a shortest tour tends to 0.7124 √n (Beardwood, Halton, Hammersley
  // 1959; constant by Johnson, McGeoch, Rothberg 1996), and at n = 400 the boundary adds some 4 %.
  EXPECT_NEAR(searched, 0.7124 * std::sqrt(400.0) * 1.04, 0.7);
}

TEST(ShortestPath, KeepsToItsTime) {
  const at::Tensor cost = random_points_cost(100, 2, 6);
  const Order order = shortest_path(cost, {.seconds = 0.05});
  expect_permutation(order, 100);
  EXPECT_LE(path_length(cost, order),
            path_length(cost, shortest_path(cost, {.steps = 0})) + kFloat32Tolerance);
}

TEST(ShortestPath, HasTrivialPathsAtTheEdge) {
  EXPECT_EQ(shortest_path(at::zeros({1, 1})), Order({0}));
  EXPECT_EQ(shortest_path(at::ones({2, 2})), Order({0, 1}));
  const at::Tensor three = at::tensor({0.0, 5.0, 1.0, 5.0, 0.0, 1.0, 1.0, 1.0, 0.0}).view({3, 3});
  EXPECT_EQ(shortest_path(three), Order({0, 2, 1}));
}

TEST(ShortestPath, TakesEveryFloatingTypeAndScaleAndIgnoresTheDiagonal) {
  const at::Tensor cost = random_points_cost(30, 2, 8);
  const Order order = shortest_path(cost);
  EXPECT_EQ(shortest_path(cost.to(at::kFloat)), order);
  EXPECT_EQ(shortest_path(cost.t()), order);
  EXPECT_EQ(shortest_path(cost * 0x1p900), order);  // beyond float32, and exact
  EXPECT_EQ(shortest_path(cost * 0x1p-900), order);
  at::Tensor diagonal = cost.clone();
  diagonal.fill_diagonal_(std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(shortest_path(diagonal), order);
  EXPECT_EQ(shortest_path(diagonal.to(at::kFloat)), order);
}

TEST(ShortestPath, LeavesTheCostAsItWas) {
  const at::Tensor cost = random_points_cost(50, 2, 9).to(at::kFloat), before = cost.clone();
  shortest_path(cost);
  EXPECT_TRUE(at::equal(cost, before));
}

TEST(ShortestPath, TakesACostThatIsSymmetricButForRounding) {
  const at::Tensor cost = random_points_cost(60, 2, 10).to(at::kFloat);
  const at::Tensor skew = 1 + 1e-7 * (at::rand({60, 60}) - 0.5);
  const Order order = shortest_path(cost * skew);
  expect_permutation(order, 60);
  EXPECT_NEAR(path_length(cost, order), path_length(cost, shortest_path(cost)), 0.02);
}

TEST(ShortestPath, RefusesWhatIsNoSymmetricCost) {
  const auto message = [](const at::Tensor& cost, const OrderingOptions& options = {}) -> std::string {
    try {
      shortest_path(cost, options);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "no error";
  };
  using testing::HasSubstr;
  EXPECT_THAT(message(at::zeros({2, 3})), HasSubstr("must be a matrix [n, n] with n ≥ 1 but is [2, 3]"));
  EXPECT_THAT(message(at::zeros({0, 0})), HasSubstr("but is [0, 0]"));
  EXPECT_THAT(message(at::Tensor()), HasSubstr("undefined"));
  EXPECT_THAT(message(at::zeros({3, 3}, at::kLong)), HasSubstr("must be floating"));
  at::Tensor cost = at::ones({3, 3});
  cost[0][1] = 2;
  EXPECT_THAT(message(cost), HasSubstr("must be symmetric but cost[i, j] and cost[j, i] differ by 1"));
  cost[1][0] = cost[0][1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(message(cost), HasSubstr("holds NaN or infinity"));
  EXPECT_THAT(message(-at::ones({3, 3})), HasSubstr("must not be negative but one is -1"));
  EXPECT_THAT(message(at::ones({3, 3}), {.steps = -2}), HasSubstr("steps must be at least -1 but got -2"));
  EXPECT_THAT(message(at::ones({3, 3}), {.seconds = -1}),
              HasSubstr("seconds must be finite and not negative"));
}

TEST(PathLength, AddsTheStepsAndRefusesUnknownNodes) {
  const at::Tensor cost = at::arange(9, at::kFloat).view({3, 3});
  EXPECT_EQ(path_length(cost, {0, 2, 1}), 2 + 7);
  EXPECT_EQ(path_length(cost, {1}), 0);
  EXPECT_THROW(path_length(cost, {0, 3}), std::out_of_range);
}

}  // namespace
}  // namespace inn
