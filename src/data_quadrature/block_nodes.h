#pragma once
// Nodes of a group whose channels have several features (heads).

#include <cstdint>
#include <vector>

#include "inn/data_quadrature/nodes.h"

namespace inn {

/// Whether a consumer has several features per channel.
bool in_blocks(const std::vector<ConsumerKernel>& consumers);

/// choose_nodes and rank_nodes for channels that are blocks of features: greedy forward selection by the
/// error reduction of all features per channel, then exchanges.
std::vector<int64_t> choose_blocks(const std::vector<ConsumerKernel>& consumers, int64_t count,
                                   const NodeOptions& options);
NodeRanking rank_blocks(const std::vector<ConsumerKernel>& consumers, const NodeOptions& options);

/// Returns the kernels between whole channels: for blocks, sums over corresponding features.
std::vector<ConsumerKernel> between_channels(const std::vector<ConsumerKernel>& consumers);

}  // namespace inn
