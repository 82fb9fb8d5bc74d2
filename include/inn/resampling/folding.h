#pragma once
// Folding: merging similar channels.

#include <cstdint>
#include <vector>

#include "inn/dimension/groups.h"
#include "inn/resampling/maps.h"

namespace inn {

/// Returns the cluster, 0 … count − 1, of each channel of the group, by k-means (Lloyd's algorithm with
/// k-means++ initialization, the best of a few starts by `seed`) on the channels' slices of the producing
/// tensors, each tensor scaled to unit variation. No cluster is empty; clusters are numbered by their first
/// channels. Throws std::invalid_argument unless 1 ≤ count ≤ width.
std::vector<int64_t> channel_clusters(const AnalysedNetwork& source, GroupId group, int64_t count,
                                      uint64_t seed);

/// Returns the maps of a folding: the mean of each cluster's producing weights, and the sum of its consuming
/// weights. After Wang et al., "Forget the Data and Fine-Tuning! Just Fold the Network to Compress", ICLR
/// 2025. Recalibrate running statistics afterwards.
GroupMaps folding_maps(const std::vector<int64_t>& clusters);

}  // namespace inn
