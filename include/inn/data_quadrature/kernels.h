#pragma once
// Kernels of what the consumers of a group read.

#include <functional>
#include <map>
#include <vector>

#include "inn/calibration/calibration.h"
#include "inn/data_quadrature/nodes.h"
#include "inn/dimension/groups.h"

namespace inn {

struct KernelOptions {
  int64_t positions = 256;  // maximum number of positions used per sample
  uint64_t seed = 0;
};

/// Returns the kernels of the consumers of each group in the source network over all batches. If a batch norm
/// or a bias absorbs the mean, kernels are of centered activations. Groups without a consumer have no entry.
std::map<GroupId, std::vector<ConsumerKernel>> measure_kernels(const AnalysedNetwork& source,
                                                               const std::vector<GroupId>& groups,
                                                               const Calibration& calibration,
                                                               const KernelOptions& options = {});

/// The kernels of one group on most samples, and on those held out.
struct SplitKernels {
  std::vector<ConsumerKernel> rest, held_out;  // held_out: none for a single sample
};

/// Calls `visit` with the kernels of each group that has a consumer, in network order, with every `held_out_every`-th
/// sample held out: the one on which refits are validated (RefitOptions::held_out_every), so that weights made from
/// kernels are not fit to them. Kernels of several groups are held at a time, while they fit into some hundred
/// megabytes; each part of the network runs about once.
void measure_split_kernels(const AnalysedNetwork& source, const std::vector<GroupId>& groups,
                           const Calibration& calibration, const KernelOptions& options,
                           int64_t held_out_every, const std::function<void(GroupId, SplitKernels)>& visit);

/// Returns kernels whose errors are those of the network's outputs, to second order: M = Σ over positions of
/// E[g gᵀ], g the gradient at the consumer's input of a random projection of the outputs (each relative to its
/// variation), and the weight tr(M·K). Their node_error estimates Σ over outputs of ‖change‖²/variation as if
/// positions and consumers were independent. One forward and backward run on all batches. Throws
/// std::invalid_argument if the network returns no floating-point tensor.
std::map<GroupId, std::vector<ConsumerKernel>> measure_output_kernels(const AnalysedNetwork& source,
                                                                      const std::vector<GroupId>& groups,
                                                                      const Calibration& calibration,
                                                                      const KernelOptions& options = {});

}  // namespace inn
