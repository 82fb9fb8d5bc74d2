#pragma once
// The calls that sum over the channels of a group.

#include <cstddef>
#include <map>
#include <optional>
#include <vector>

#include "inn/dimension/groups.h"

namespace inn {

/// A call that sums over the channels of a group: the product of an activation with weights or with another
/// activation.
struct Consumer {
  size_t call;
  ValueId value;                 // the activation
  std::vector<Member> weights;   // the state tensors it is multiplied with
  std::optional<ValueId> other;  // the other activation, if there are no weights
};

/// Returns the consumers of each of `groups`, in network order. A group may have none, e.g. if only
/// elementwise operators and an unknown sum use it.
std::map<GroupId, std::vector<Consumer>> find_consumers(const AnalysedNetwork& source,
                                                        const std::vector<GroupId>& groups);

}  // namespace inn
