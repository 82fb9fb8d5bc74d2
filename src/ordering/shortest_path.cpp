#include "inn/ordering/shortest_path.h"

#include <ATen/ops/from_blob.h>

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
constexpr int64_t kLargestSize = 1 << 15;  // 4 GiB of costs
constexpr double kAsymmetry = 1e-5;  // of the largest cost: what summing in another order leaves in float32

/// Returns the cost as contiguous float64 on the CPU, made exactly symmetric, with a diagonal of 0.
at::Tensor checked(const at::Tensor& cost) {
  require(cost.defined() && cost.dim() == 2 && cost.size(0) == cost.size(1) && cost.size(0) >= 1, "ordering",
          "shortest_path: the cost must be a matrix [n, n] with n ≥ 1 but is {}.",
          cost.defined() ? fmt::format("[{}]", fmt::join(cost.sizes(), ", ")) : "undefined");
  require(cost.size(0) <= kLargestSize, "ordering", "shortest_path: at most {} nodes but got {}.",
          kLargestSize, cost.size(0));
  require(cost.is_floating_point(), "ordering", "shortest_path: the cost must be floating but is {}.",
          cost.toString());
  at::Tensor result = cost.detach().to(at::kCPU, at::kDouble).clone(at::MemoryFormat::Contiguous);
  result.fill_diagonal_(0);
  require(result.isfinite().all().item<bool>(), "ordering", "shortest_path: the cost holds NaN or infinity.");
  const auto least = result.min().item<double>(), largest = result.max().item<double>();
  require(least >= 0, "ordering", "shortest_path: costs must not be negative but one is {}.", least);
  const auto asymmetry = (result - result.t()).abs().max().item<double>();
  require(asymmetry <= kAsymmetry * largest, "ordering",
          "shortest_path: the cost must be symmetric but cost[i, j] and cost[j, i] differ by {}.", asymmetry);
  return ((result + result.t()) / 2).contiguous();
}

double length_of(const at::Tensor& cost, const Order& order) {
  const auto* values = cost.const_data_ptr<double>();
  double length = 0;
  for (size_t k = 1; k < order.size(); ++k) length += values[order[k - 1] * cost.size(0) + order[k]];
  return length;
}

Order nearest_neighbor_path(const at::Tensor& cost) {
  const int64_t n = cost.size(0);
  const auto* values = cost.const_data_ptr<double>();
  Order order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  for (auto from = order.begin(); from + 1 != order.end(); ++from) {
    const double* row = values + *from * n;
    std::iter_swap(from + 1, std::min_element(from + 1, order.end(), [row](int64_t a, int64_t b) {
                     return std::pair(row[a], a) < std::pair(row[b], b);
                   }));
  }
  return order;
}

/// Says how much of the work is done after so many steps.
std::function<double(int64_t)> progress_of(const OrderingOptions& options, int64_t nodes) {
  if (options.seconds > 0) {
    const auto start = std::chrono::steady_clock::now();
    return [start, seconds = options.seconds](int64_t) {
      return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / seconds;
    };
  }
  const int64_t steps = options.steps >= 0 ? options.steps : kStepsAtLeast + kStepsPerNode * nodes;
  return [steps](int64_t done) {
    return steps == 0 ? 1.0 : static_cast<double>(done) / static_cast<double>(steps);
  };
}

/// Returns a path found from `start`. Nodes are renamed by their place in it, so that near nodes have near
/// memory.
Order search(const at::Tensor& cost, const Order& start, const OrderingOptions& options) {
  const auto n = static_cast<Node>(start.size());
  const at::Tensor places = at::from_blob(const_cast<int64_t*>(start.data()), {n}, at::kLong);
  // Scaled, so that costs of every size fit float32.
  const double largest = cost.max().item<double>();
  const at::Tensor scaled = largest > 0 ? cost / largest : cost;
  const at::Tensor renamed =
      scaled.index_select(0, places).index_select(1, places).to(at::kFloat).contiguous();
  const TourCosts costs(renamed.const_data_ptr<float>(), n);
  std::vector<Node> tour(start.size() + 1);
  std::iota(tour.begin(), tour.end(), 0);
  TourSearch work(costs, tour, options.seed);
  work.run(progress_of(options, n));
  tour = work.tour().order();
  std::rotate(tour.begin(), std::find(tour.begin(), tour.end(), costs.free_node()), tour.end());
  Order order;
  for (auto node = tour.begin() + 1; node != tour.end(); ++node)
    order.push_back(start[static_cast<size_t>(*node)]);
  return order;
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
  double least = length_of(costs, best);
  const auto offer = [&](const Order& order) {
    const double length = length_of(costs, order);
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
  return length_of(cost.detach().to(at::kCPU, at::kDouble).contiguous(), order);
}

}  // namespace inn
