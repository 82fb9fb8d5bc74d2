#include "inn/dimension/listed_axes.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace inn {
namespace {

/// For each axis of a tensor, which of its positions are in a group.
using Listed = std::vector<std::vector<bool>>;

/// Marks the member's positions. Returns false if one is outside its axis.
bool mark(const Member& member, int64_t width, std::vector<bool>& positions) {
  for (int64_t o = 0; o < member.outer; ++o)
    for (int64_t c = 0; c < width; ++c)
      for (int64_t i = 0; i < member.inner; ++i) {
        const int64_t at = member.offset + o * member.outer_stride + c * member.inner + i;
        if (at < 0 || at >= static_cast<int64_t>(positions.size())) return false;
        positions[static_cast<size_t>(at)] = true;
      }
  return true;
}

}  // namespace

std::vector<std::string> unlisted_axes(const AnalysedNetwork& source) {
  std::vector<std::string> failures;
  std::vector<Listed> listed;
  for (const auto& entry : source.network.state) {
    listed.emplace_back();
    for (const auto size : entry.tensor.sizes()) listed.back().emplace_back(static_cast<size_t>(size));
  }
  std::set<std::string> names;
  for (const auto& group : source.groups.groups) {
    if (group.name.empty() || !names.insert(group.name).second)
      failures.push_back(fmt::format("group '{}': another group has this name", group.name));
    if (group.pinned && group.pinned->empty())
      failures.push_back(fmt::format("group '{}': it is pinned without a reason", group.name));
    if (group.members.empty()) failures.push_back(fmt::format("group '{}': it has no member", group.name));
    for (const auto& member : group.members)
      if (!mark(member, group.width, listed.at(member.state).at(static_cast<size_t>(member.axis))))
        failures.push_back(fmt::format("group '{}': its member in axis {} of '{}' exceeds the axis",
                                       group.name, member.axis, member.tensor));
  }
  for (size_t s = 0; s < listed.size(); ++s)
    for (size_t d = 0; d < listed[s].size(); ++d) {
      const auto& positions = listed[s][d];
      const auto missing = std::count(positions.begin(), positions.end(), false);
      if (positions.size() > 1 && missing > 0)
        failures.push_back(fmt::format("{} of the {} positions in axis {} of '{}' are in no group", missing,
                                       positions.size(), d, source.network.state[s].name));
    }
  return failures;
}

}  // namespace inn
