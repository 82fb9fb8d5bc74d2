#pragma once
// Shortest Hamiltonian paths: the permutation of a group that makes its tensors smooth.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace inn {

struct OrderingOptions {
  /// Number of perturbations of the local search; −1: 2000 plus 30 per node, of at most 2048 nodes (about
  /// 0.5 s for 1024 nodes on one core, 5 s for 8192); 0: local search from the start only.
  int64_t steps = -1;
  /// If positive, a time limit instead. The result then depends on the machine.
  double seconds = 0;
  uint64_t seed = 0;
};

/// Returns an order π of the n nodes whose open path Σ_k cost[π_k, π_{k+1}] is short; its ends are free.
///
/// Never longer than the order 0, 1, …, n−1, which is returned if nothing shorter is found, nor than the
/// nearest-neighbor path. Iterated local search with 3-opt moves; on random points and on rows of weights
/// within 0.5 % of the best known path for n ≤ 2048. Of an order and its mirror image the one with π_0 <
/// π_{n−1} is returned. cost: [n, n] symmetric, finite, non-negative, floating point, n ≥ 1; any device; the
/// diagonal is ignored. Deterministic for a seed and machine type, unless `seconds` is used. A cost that is
/// float32, on the CPU and exactly symmetric (as path_cost returns it) is not copied; others are, in float64
/// and float32. Throws std::invalid_argument for other costs, steps < −1, and negative or non-finite seconds.
std::vector<int64_t> shortest_path(const at::Tensor& cost, const OrderingOptions& options = {});

/// Returns Σ_k cost[order_k, order_{k+1}], added in float64. order: any nodes of [0, n). Throws
/// std::out_of_range for others.
double path_length(const at::Tensor& cost, const std::vector<int64_t>& order);

}  // namespace inn
