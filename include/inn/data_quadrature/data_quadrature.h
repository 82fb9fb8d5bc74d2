#pragma once
// Data-aware quadrature: resampling without training.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "inn/calibration/calibration.h"
#include "inn/data_quadrature/kernels.h"
#include "inn/data_quadrature/nodes.h"
#include "inn/dimension/groups.h"
#include "inn/network/network.h"
#include "inn/refit/refit.h"
#include "inn/resampling/maps.h"

namespace inn {

struct DataQuadratureOptions {
  NodeOptions nodes = {};
  /// Whether layers are refit by least squares after the kernel's weights are applied.
  bool refits = true;
  RefitOptions refit = {};
  /// Joint steps on all layers after the refits: slower, more accurate for strong cuts.
  TogetherOptions together = {.steps = 0};
};

/// Report about one group.
struct GroupReport {
  GroupId id;
  std::string name;
  int64_t source_width, width;
  std::vector<int64_t> nodes;
  /// The selection criterion: "kernel" for the errors of its consumers; "l2" if no consumer can be measured;
  /// "mixture" if channels are mixed within each head instead of selected.
  std::string criterion;
  /// Of the nodes and their weights, by the consumers' kernels (node_error), before refits: on samples held out.
  double error = 0;
  double ridge = 0;                // of the kernels
  std::vector<double> curve = {};  // for 1 … n nodes, if requested and there is a kernel
};

struct GroupNodes {
  GroupMaps maps;
  GroupReport report;
};

/// Returns nodes and kernel weights of one group from its consumers' `kernels`, with the ridge that is best on those
/// of the samples held out (choose_validated); by L2 norms if it has none (null).
GroupNodes nodes_of(const AnalysedNetwork& source, GroupId id, int64_t width, const SplitKernels* kernels,
                    const NodeOptions& options = {});

/// Returns the channels of each group ranked such that the first m are the nodes for width m (rank_nodes); by
/// L2 norms if no consumer can be measured.
std::map<GroupId, std::vector<int64_t>> rank_channels(const AnalysedNetwork& source,
                                                      const std::vector<GroupId>& groups,
                                                      const Calibration& calibration,
                                                      const NodeOptions& options = {},
                                                      const KernelOptions& measuring = {});

struct NodesFound {
  std::map<GroupId, GroupMaps> maps;  // of the groups whose width changes
  std::vector<GroupReport> groups;
};

/// Returns nodes and kernel weights of the groups for `widths`: the maps with which `resample` below starts.
/// Throws as it does.
NodesFound find_nodes(const AnalysedNetwork& source, const std::map<GroupId, int64_t>& widths,
                      const Calibration& calibration, const NodeOptions& options = {},
                      const KernelOptions& measuring = {});

struct DataQuadrature {
  Network network;
  std::map<GroupId, GroupMaps> maps;
  std::vector<GroupReport> groups;
  std::vector<LayerFit> layers;
  double together_gain = 1;  // what `refit_together` returned
};

/// Returns the network in which the groups have `widths`, each at most its source's, without gradient steps
/// or labels (docs/math.md, "Data-aware quadrature").
///
/// The nodes of a group are the channels from which its consumers' outputs can be reconstructed with the
/// least error, given the second moments of its activations in the source network. Consumers get the kernel's
/// weights; then each layer is refit in network order. At the source widths the result is the source network
/// with unchanged tensors. Up to rounding, results do not depend on the batch size. Throws
/// std::invalid_argument for a pinned group or a width outside [1, source width], and as `refit` does.
DataQuadrature resample(const AnalysedNetwork& source, const std::map<GroupId, int64_t>& widths,
                        const Calibration& calibration, const DataQuadratureOptions& options = {});

}  // namespace inn
