#pragma once
// The groups that a tensor's sizes depend on.

#include <set>
#include <vector>

#include "inn/dimension/channel_places.h"

namespace inn {

inline std::set<GroupId> groups_of_axes(const std::vector<AxisStructure>& axes) {
  std::set<GroupId> groups;
  for (const auto& axis : axes) groups.merge(groups_in(axis));
  return groups;
}

}  // namespace inn
