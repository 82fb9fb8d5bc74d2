#pragma once
// Nodes of data-aware quadrature: the channels to keep.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "inn/axis_map/axis_map.h"
#include "inn/core/progress.h"

namespace inn {

/// The kernel of one consumer of a group of n channels, which computes Σ_i w_i a_i for several w.
///
/// A channel with `block` features (a head) is kept or removed as a whole; features per channel are
/// contiguous, n·block in total. `block` may differ between the consumers of a group.
struct ConsumerKernel {
  at::Tensor kernel;  // K = E[a aᵀ], [n·block, n·block] float64; centered if there is a bias
  at::Tensor gram;    // M = Σ w wᵀ, likewise; the identity reconstructs the channels themselves
  int64_t block = 1;
  double weight = 1;  // of its relative error tr(M·R)/tr(M·K) among those of the other consumers
};

/// Selection of nodes.
enum class NodeChoice {
  greedy,    // adds the node that reduces the error most
  backward,  // starts from all and removes the node that increases the error least
  cholesky,  // greedy with M = 1: the pivots of a Cholesky decomposition of K
  best,      // the better of greedy and backward; above 1024 channels, backward where at least half stay
};

struct NodeOptions {
  NodeChoice choice = NodeChoice::best;
  /// Maximum number of exchanges of a node for another channel afterwards, each of which lowers the error;
  /// for more than 256 channels it decreases with the square of the width, and above 1024 there are none.
  int64_t exchanges = 64;
  /// Added to K's diagonal, as a fraction of itself: each channel as if it had so much noise of its own. Moments of few
  /// rows are made surer by it.
  double ridge = 1e-6;
  /// Whether reports include the error for every number of nodes: Θ(n³) per group.
  bool curves = false;
  /// Called after each group.
  StepCallback progress = nullptr;
};

/// Returns the error with weights W·K_{:,S}·K_{S,S}⁻¹ on nodes S, Σ over consumers of
/// weight·tr(M·R)/tr(M·K), R the residual kernel: in [0, sum of the weights].
double node_error(const std::vector<ConsumerKernel>& consumers, const std::vector<int64_t>& nodes,
                  double ridge = 1e-6);

/// Returns `count` nodes, ascending (docs/math.md, "Data-aware quadrature"). Θ(n³) per consumer, and Θ(n³) per exchange.
/// Throws std::invalid_argument unless 1 ≤ count ≤ n, for kernels of different sizes, and if there are none.
std::vector<int64_t> choose_nodes(const std::vector<ConsumerKernel>& consumers, int64_t count,
                                  const NodeOptions& options = {});

/// Nodes for every count.
struct NodeRanking {
  std::vector<int64_t> nodes;  // all channels; the first m are the nodes for count m
  std::vector<double> errors;  // of 1 … n nodes
};

/// Returns nested nodes: those for a count are a subset of those for every greater count. By one backward run
/// (also for "best") or one greedy run, without exchanges.
NodeRanking rank_nodes(const std::vector<ConsumerKernel>& consumers, const NodeOptions& options = {});

/// Returns the error of given weights (a consume map of `nodes`), as node_error: for kernels of other samples than
/// those that the weights were made from.
double weights_error(const std::vector<ConsumerKernel>& consumers, const std::vector<int64_t>& nodes,
                     const AxisMap& weights);

/// Nodes, and weights that were validated on other samples.
struct ValidatedNodes {
  std::vector<int64_t> nodes;
  AxisMap weights;
  double ridge, error;  // the error on the samples held out
};

/// Returns `choose_nodes` and `kernel_weights` with the ridge, of `ridges` (ascending), whose error is least on
/// `held_out`, kernels of the same consumers on other samples; from the middle one on, while it falls.
ValidatedNodes choose_validated(const std::vector<ConsumerKernel>& consumers,
                                const std::vector<ConsumerKernel>& held_out, int64_t count,
                                const NodeOptions& options, const std::vector<double>& ridges);

/// Returns K_{S,S}⁻¹·K_{S,:} of the consumers' summed kernels (each relative to its tr(M·K)), [|S|, n]: the
/// consume map that gives every consumer the kernel's weights.
AxisMap kernel_weights(const std::vector<ConsumerKernel>& consumers, const std::vector<int64_t>& nodes,
                       double ridge = 1e-6);

}  // namespace inn
