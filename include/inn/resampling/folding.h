#pragma once
// Channels that are alike, folded into one.

#include <cstdint>
#include <vector>

#include "inn/dimension/groups.h"
#include "inn/resampling/maps.h"

namespace inn {

/// Returns for each channel of the group its cluster, 0 … count − 1, by k-means (Lloyd's algorithm from
/// k-means++ seeds, the best of a few starts by `seed`) of what the producing tensors hold of the channels,
/// each tensor scaled to unit variation. No cluster is empty; clusters are numbered by their first channels.
/// Throws std::invalid_argument unless 1 ≤ count ≤ width.
std::vector<int64_t> channel_clusters(const AnalysedNetwork& source, GroupId group, int64_t count,
                                      uint64_t seed);

/// Returns the maps of a folding: a cluster's channel is the mean of its producers', and is read with the sum
/// of its readers' weights. After Wang et al., "Forget the Data and Fine-Tuning! Just Fold the Network to
/// Compress", ICLR 2025. Running statistics are best measured anew afterwards.
GroupMaps folding_maps(const std::vector<int64_t>& clusters);

}  // namespace inn
