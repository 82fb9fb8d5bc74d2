#pragma once
// Any width without training: the quadrature of the data.

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
  /// Whether layers are refit by least squares after the kernel's weights are given.
  bool refits = true;
  RefitOptions refit = {};
  /// Steps on all layers at once after the refits: better where much is cut, and slower.
  TogetherOptions together = {.steps = 0};
};

/// What became of one group.
struct GroupReport {
  GroupId id;
  std::string name;
  int64_t source_width, width;
  std::vector<int64_t> nodes;
  /// How they were found: "kernel" by its consumers' errors; "l2" where nothing that can be measured reads
  /// the group; "mixture" where no channels are chosen but as many mixtures of all, in each head by itself.
  std::string found_by;
  double error = 0;           // of the nodes, by their consumers' kernels (node_error), before any refit
  std::vector<double> curve;  // of 1 … n nodes, where it is asked for and there is a kernel
};

struct GroupNodes {
  GroupMaps maps;
  GroupReport report;
};

/// Returns nodes and kernel weights of one group, whose consumers' kernels are in `kernels`; by its L2 norms
/// where it has none there.
GroupNodes nodes_of(const AnalysedNetwork& source, GroupId id, int64_t width,
                    const std::map<GroupId, std::vector<ConsumerKernel>>& kernels,
                    const NodeOptions& options = {});

/// Returns the channels of each group, ranked so that for every width the first are its nodes (rank_nodes),
/// by L2 norms where nothing that can be measured reads the group.
std::map<GroupId, std::vector<int64_t>> rank_channels(const AnalysedNetwork& source,
                                                      const std::vector<GroupId>& groups,
                                                      const Calibration& calibration,
                                                      const NodeOptions& options = {},
                                                      const KernelOptions& measuring = {});

struct NodesFound {
  std::map<GroupId, GroupMaps> maps;  // of the groups whose width changes
  std::vector<GroupReport> groups;
};

/// Returns nodes and kernel weights of the groups for `widths`: the maps that `resample` below begins with.
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

/// Returns the plain network in which the groups have `widths`, each at most its source's, made without a
/// gradient step and without labels (MATH: "Data-aware quadrature").
///
/// Nodes of each group are channels that its consumers' outputs can be computed from best, by the second
/// moments of its activations in the source network; consumers get the kernel's weights, then each layer is
/// refit in network order. Widths of the source give the source network, tensors unchanged. Results do not
/// depend on how samples are put into batches, but for rounding. Throws std::invalid_argument for a group
/// that is pinned and a width outside [1, source width]; as `refit` does.
DataQuadrature resample(const AnalysedNetwork& source, const std::map<GroupId, int64_t>& widths,
                        const Calibration& calibration, const DataQuadratureOptions& options = {});

}  // namespace inn
