#pragma once
// Where the channels of a group are computed.

#include <map>
#include <vector>

#include "inn/dimension/groups.h"

namespace inn {

/// Returns for each of `groups` the results of the calls that produce it, in network order: calls that read a
/// producing tensor, or what is computed of it alone, and something that depends on the inputs.
std::map<GroupId, std::vector<ValueId>> producer_outputs(const AnalysedNetwork& source,
                                                         const std::vector<GroupId>& groups);

}  // namespace inn
