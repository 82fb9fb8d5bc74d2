// The structure of a group, for comparing groups.

#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "inn/dimension/structure.h"

namespace inn {

std::string structure_of(const AnalysedNetwork& source, GroupId group) {
  const auto& network = source.network;
  std::map<ValueId, std::set<std::string>> readers;
  for (const auto& member : source.groups.groups.at(group).members)
    readers.try_emplace(network.state[member.state].value);
  for (const auto& call : network.calls)
    for (const auto& argument : call.arguments)
      argument.for_each_value([&](ValueId id) {
        if (const auto found = readers.find(id); found != readers.end()) found->second.insert(call.op);
      });
  std::vector<std::string> members;
  for (const auto& member : source.groups.groups[group].members) {
    const auto& entry = network.state[member.state];
    members.push_back(fmt::format("{}/{} {} {}x{} {}", entry.tensor.dim(), member.axis,
                                  member.role == MemberRole::produce ? "produce" : "consume", member.outer,
                                  member.inner, fmt::join(readers.at(entry.value), "+")));
  }
  std::sort(members.begin(), members.end());
  return fmt::format("{}: {}", source.groups.groups[group].width, fmt::join(members, ", "));
}

}  // namespace inn
