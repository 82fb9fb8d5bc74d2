#pragma once
// The calls that compute the channels of a group.

#include <map>
#include <vector>

#include "inn/dimension/groups.h"

namespace inn {

/// Returns for each of `groups` the results of the calls that produce it, in network order: calls that
/// combine a producing tensor (or something computed only from it) with something that depends on the inputs.
std::map<GroupId, std::vector<ValueId>> producer_outputs(const AnalysedNetwork& source,
                                                         const std::vector<GroupId>& groups);

}  // namespace inn
