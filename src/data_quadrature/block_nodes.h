#pragma once
// Nodes of a group each of whose channels is several features: a head.

#include <cstdint>
#include <vector>

#include "inn/data_quadrature/nodes.h"

namespace inn {

/// Whether a consumer sees several features of each channel.
bool in_blocks(const std::vector<ConsumerKernel>& consumers);

/// What choose_nodes and rank_nodes return where channels are blocks of features: nodes are taken forward,
/// each that which takes most of the error away with all its features, then exchanged one by one.
std::vector<int64_t> choose_blocks(const std::vector<ConsumerKernel>& consumers, int64_t count,
                                   const NodeOptions& options);
NodeRanking rank_blocks(const std::vector<ConsumerKernel>& consumers, const NodeOptions& options);

/// Returns the kernels between whole channels: of blocks the sums over features of the same number.
std::vector<ConsumerKernel> between_channels(const std::vector<ConsumerKernel>& consumers);

}  // namespace inn
