#pragma once
// Groups of a network whose widths have changed.

#include <map>

#include "inn/dimension/groups.h"
#include "inn/resampling/maps.h"

namespace inn {

/// Returns the groups at other widths: the same ids, names and structure; sizes of axes and the places of
/// members follow. Groups without an entry keep their width.
Groups resized(const Groups& groups, const std::map<GroupId, int64_t>& widths);

/// Returns the resampled network with its groups, which keep their ids: what `analyse` would find, also where
/// a width of 1 hides what is tied. It can be resampled again. Throws as `resample` does.
AnalysedNetwork resample_with_groups(const AnalysedNetwork& source, const std::map<GroupId, GroupMaps>& maps);

}  // namespace inn
