#include "inn/ordering/shortest_path.h"

#include <ATen/ATen.h>

#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>

#include "inn/core/error.h"
#include "tour_search.h"

namespace inn {
namespace {

using Node = Tour::Node;
using Order = std::vector<int64_t>;

constexpr int64_t kStepsPerNode = 30, kStepsAtLeast = 2000;
// Four times as many steps shorten paths of 8192 nodes by 0.2 % only.
constexpr int64_t kNodesWithSteps = 2048;
constexpr int64_t kLargestSize = 1 << 15;  // 4 GiB of costs
constexpr double kAsymmetry = 1e-5;  // of the largest cost: what summing in another order leaves in float32

/// Properties of the off-diagonal entries of a cost.
struct Entries {
  bool finite = true;
  double least = std::numeric_limits<double>::infinity(), largest = 0;
  double asymmetry = 0;  // the greatest difference of cost[i, j] and cost[j, i]
};

template <class T>
Entries entries_of(const T* cost, int64_t n) {
  constexpr int64_t kBlock = 64;  // cache blocking, since one half is read across rows
  Entries entries;
  for (int64_t i_block = 0; i_block < n; i_block += kBlock) {
    for (int64_t j_block = i_block; j_block < n; j_block += kBlock) {
      T least = cost[n > 1 ? 1 : 0], largest = 0, asymmetry = 0, sum = 0;
      for (int64_t i = i_block; i < std::min(i_block + kBlock, n); ++i) {
        for (int64_t j = std::max(i + 1, j_block); j < std::min(j_block + kBlock, n); ++j) {
          const T one = cost[i * n + j], other = cost[j * n + i];
          least = std::min({least, one, other});
          largest = std::max({largest, one, other});
          asymmetry = std::max(asymmetry, std::abs(one - other));
          sum += (one - one) + (other - other);  // NaN unless both are finite
        }
      }
      entries.finite = entries.finite && sum == 0;
      entries.least = std::min(entries.least, double{least});
      entries.largest = std::max(entries.largest, double{largest});
      entries.asymmetry = std::max(entries.asymmetry, double{asymmetry});
    }
  }
  return entries;
}

/// Returns the cost as contiguous float32 on the CPU, exactly symmetric, with an arbitrary diagonal: the cost
/// itself if it is that already, else a copy scaled by a power of two, so that costs of every magnitude fit.
at::Tensor checked(const at::Tensor& cost) {
  require(cost.defined() && cost.dim() == 2 && cost.size(0) == cost.size(1) && cost.size(0) >= 1, "ordering",
          "shortest_path: the cost must be a matrix [n, n] with n ≥ 1 but is {}.",
          cost.defined() ? fmt::format("[{}]", fmt::join(cost.sizes(), ", ")) : "undefined");
  require(cost.size(0) <= kLargestSize, "ordering", "shortest_path: at most {} nodes but got {}.",
          kLargestSize, cost.size(0));
  require(cost.is_floating_point(), "ordering", "shortest_path: the cost must be floating but is {}.",
          cost.toString());
  const int64_t n = cost.size(0);
  if (n == 1) return at::zeros({1, 1}, at::kFloat);
  const bool is_float = cost.scalar_type() == at::kFloat;
  const at::Tensor given = cost.detach().to(at::kCPU, is_float ? at::kFloat : at::kDouble).contiguous();
  const Entries entries =
      is_float ? entries_of(given.const_data_ptr<float>(), n) : entries_of(given.const_data_ptr<double>(), n);
  require(entries.finite, "ordering", "shortest_path: the cost holds NaN or infinity.");
  require(entries.least >= 0, "ordering", "shortest_path: costs must not be negative but one is {}.",
          entries.least);
  require(entries.asymmetry <= kAsymmetry * entries.largest, "ordering",
          "shortest_path: the cost must be symmetric but cost[i, j] and cost[j, i] differ by {}.",
          entries.asymmetry);
  if (is_float && entries.asymmetry == 0) return given;
  const int exponent = entries.largest > 0 ? std::clamp(std::ilogb(entries.largest), -1000, 1000) : 0;
  const at::Tensor half = given.to(at::kDouble) * std::ldexp(0.5, -exponent);
  return (half + half.t()).to(at::kFloat);
}

/// Returns Σ_k cost[nodes_k, nodes_{k+1}] in float64. nodes: int64 vector on the cost's device.
double sum_along(const at::Tensor& cost, const at::Tensor& nodes) {
  return cost.detach().index({nodes.slice(0, 0, -1), nodes.slice(0, 1)}).sum(at::kDouble).item<double>();
}

/// The mean length of the path in both directions, since a cost may be symmetric up to rounding only.
double length_of(const at::Tensor& cost, const Order& order) {
  const at::Tensor nodes = at::tensor(order).to(cost.device());
  return (sum_along(cost, nodes) + sum_along(cost, nodes.flip(0))) / 2;
}

Order nearest_neighbor_path(const at::Tensor& cost) {
  const int64_t n = cost.size(0);
  const auto* values = cost.const_data_ptr<float>();
  Order order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  for (auto from = order.begin(); from + 1 != order.end(); ++from) {
    const float* row = values + *from * n;
    std::iter_swap(from + 1, std::min_element(from + 1, order.end(), [row](int64_t a, int64_t b) {
                     return std::pair(row[a], a) < std::pair(row[b], b);
                   }));
  }
  return order;
}

/// Returns the function from the number of steps to the fraction of the work done.
std::function<double(int64_t)> progress_of(const OrderingOptions& options, int64_t nodes) {
  if (options.seconds > 0) {
    const auto start = std::chrono::steady_clock::now();
    return [start, seconds = options.seconds](int64_t) {
      return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / seconds;
    };
  }
  const int64_t steps =
      options.steps >= 0 ? options.steps : kStepsAtLeast + kStepsPerNode * std::min(nodes, kNodesWithSteps);
  return [steps](int64_t done) {
    return steps == 0 ? 1.0 : static_cast<double>(done) / static_cast<double>(steps);
  };
}

/// Returns a path found from `start`.
Order search(const at::Tensor& cost, const Order& start, const OrderingOptions& options) {
  const auto n = static_cast<Node>(start.size());
  const TourCosts costs(cost.const_data_ptr<float>(), n);
  std::vector<Node> tour(start.begin(), start.end());
  tour.push_back(costs.free_node());
  TourSearch work(costs, std::move(tour), options.seed);
  work.run(progress_of(options, n));
  tour = work.tour().order();
  std::rotate(tour.begin(), std::find(tour.begin(), tour.end(), costs.free_node()), tour.end());
  return {tour.begin() + 1, tour.end()};
}

}  // namespace

std::vector<int64_t> shortest_path(const at::Tensor& cost, const OrderingOptions& options) {
  require(options.steps >= -1, "ordering", "OrderingOptions: steps must be at least -1 but got {}.",
          options.steps);
  require(std::isfinite(options.seconds) && options.seconds >= 0, "ordering",
          "OrderingOptions: seconds must be finite and not negative but got {}.", options.seconds);
  const at::Tensor costs = checked(cost);
  Order best(static_cast<size_t>(costs.size(0)));
  std::iota(best.begin(), best.end(), int64_t{0});
  if (best.size() <= 2) return best;
  double least = length_of(cost, best);
  const auto offer = [&](const Order& order) {
    const double length = length_of(cost, order);
    if (length >= least) return;
    least = length;
    best = order;
  };
  offer(nearest_neighbor_path(costs));
  offer(search(costs, best, options));
  if (best.front() > best.back()) std::reverse(best.begin(), best.end());
  return best;
}

double path_length(const at::Tensor& cost, const std::vector<int64_t>& order) {
  require(cost.defined() && cost.dim() == 2 && cost.size(0) == cost.size(1), "ordering",
          "path_length: the cost must be a matrix [n, n].");
  for (const int64_t node : order) {
    require<std::out_of_range>(node >= 0 && node < cost.size(0), "ordering",
                               "path_length: nodes must be in [0, {}) but one is {}.", cost.size(0), node);
  }
  return sum_along(cost, at::tensor(order).to(cost.device()));
}

}  // namespace inn
