#pragma once
// The groups of a resampled network.

#include <map>

#include "inn/dimension/groups.h"
#include "inn/resampling/maps.h"

namespace inn {

/// Returns the groups at other widths: the same ids, names and structure, with new sizes of axes and
/// positions of members. Groups without an entry keep their width.
Groups resized_groups(const Groups& groups, const std::map<GroupId, int64_t>& widths);

/// Returns the resampled network with its groups, which keep their ids: like `analyse` on the result, but
/// also correct at width 1, which hides couplings. It can be resampled again. Throws as `resample` does.
AnalysedNetwork resample_with_groups(const AnalysedNetwork& source, const std::map<GroupId, GroupMaps>& maps);

}  // namespace inn
