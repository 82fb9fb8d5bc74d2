#pragma once
// Maps for attention heads.

#include <map>
#include <set>

#include "inn/calibration/calibration.h"
#include "inn/data_quadrature/kernels.h"
#include "inn/dimension/groups.h"
#include "inn/resampling/maps.h"

namespace inn {

/// Adds to `maps` maps of whole axes determined from data (GroupMaps::whole).
///
/// Where only reindexing lies between the projection that produces the channels of heads and the sum over
/// them, only their span matters: channels are mixed within each head instead of selected. Of scores qᵀk,
/// with K = E[k kᵀ] (less the mean of a sample before a softmax, which does not see it), M = E[q qᵀ] and
/// K^{1/2}·M·K^{1/2} = V·Λ·Vᵀ: k' = Vₘᵀ·K^{−1/2}·k and q' = Vₘᵀ·K^{1/2}·q, the best product of rank m. Of
/// values, K is that of what the map W behind them reads (about the mean where that has a bias), and M = WᵀW:
/// v' = Vₘᵀ·K^{−1/2}·v.
///
/// A linear map W that reads heads gets the kernel's weights over all its inputs, W·C·Bᵀ·(B·C·Bᵀ)⁻¹, where B
/// keeps and mixes them and C is their second moment.
///
/// Queries and keys that cannot be mixed are selected: consume equals produce. Returns the groups whose
/// channels are mixed.
std::set<GroupId> add_head_maps(const AnalysedNetwork& source, const Calibration& calibration,
                                std::map<GroupId, GroupMaps>& maps, const KernelOptions& options);

}  // namespace inn
