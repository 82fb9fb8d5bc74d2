#pragma once
// Nodes of the data's quadrature: which channels stand for all.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "inn/axis_map/axis_map.h"

namespace inn {

/// What one consumer sees of a group of n channels: it computes Σ_i w_i a_i for several w.
///
/// A channel that is `block` features there (a head) is kept or left with all of them: its features stand
/// together, n·block in all. Consumers of one group may differ in it.
struct ConsumerKernel {
  at::Tensor kernel;  // K = E[a aᵀ], [n·block, n·block] float64, of a less its mean where there is a bias
  at::Tensor gram;    // M = Σ w wᵀ, likewise; the identity asks for the channels themselves
  int64_t block = 1;
};

/// How nodes are found.
enum class NodeChoice {
  greedy,    // one by one, each that which takes most of the error away
  backward,  // from all, taking away the one whose loss costs least
  cholesky,  // greedy with M = 1: the pivots of a Cholesky decomposition of K
  best,      // the better of greedy and backward
};

struct NodeOptions {
  NodeChoice choice = NodeChoice::best;
  /// At most so many exchanges of a node for another channel afterwards, each of which lowers the error; of
  /// groups of more than 256 channels fewer, by the square of their width.
  int64_t exchanges = 64;
  /// Added to K's diagonal, as a fraction of its mean.
  double ridge = 1e-6;
  /// Whether reports hold the error of every count of nodes, too: Θ(n³) a group.
  bool curves = false;
};

/// Returns the error with weights W·K_{:,S}·K_{S,S}⁻¹ on nodes S, Σ over consumers of tr(M·R)/tr(M·K), R the
/// residual kernel: in [0, number of consumers].
double node_error(const std::vector<ConsumerKernel>& consumers, const std::vector<int64_t>& nodes,
                  double ridge = 1e-6);

/// Returns `count` nodes, ascending (MATH: "Data-aware quadrature"). Θ(n²) a node for each consumer. Throws
/// std::invalid_argument unless 1 ≤ count ≤ n, for kernels of different sizes, and for none.
std::vector<int64_t> choose_nodes(const std::vector<ConsumerKernel>& consumers, int64_t count,
                                  const NodeOptions& options = {});

/// Nodes of every count at once.
struct NodeRanking {
  std::vector<int64_t> nodes;  // all channels: the first m are the m nodes
  std::vector<double> errors;  // of 1 … n nodes
};

/// Returns nodes that are nested: those of a count are among those of every greater one. By one backward run
/// (so for "best", too) or one greedy run, without exchanges.
NodeRanking rank_nodes(const std::vector<ConsumerKernel>& consumers, const NodeOptions& options = {});

/// Returns K_{S,S}⁻¹·K_{S,:} of the consumers' summed kernels (each relative to its tr(M·K)), [|S|, n]: the
/// consume map that gives every consumer the kernel's weights.
AxisMap kernel_weights(const std::vector<ConsumerKernel>& consumers, const std::vector<int64_t>& nodes,
                       double ridge = 1e-6);

}  // namespace inn
