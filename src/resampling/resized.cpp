#include "inn/resampling/resized.h"

#include "inn/dimension/channel_places.h"

namespace inn {
namespace {

void resize_axis(AxisStructure& axis, const std::vector<int64_t>& widths) {
  axis.size = size_at(axis, widths);
  for (auto& part : axis.parts) resize_axis(part, widths);
}

/// Appends the members of a group in one axis; each term of a sum has its own roles.
void append_members(const Groups& groups, GroupId id, const Member& like, std::vector<Member>& members) {
  const auto& axis = groups.axes.at(like.state).at(static_cast<size_t>(like.axis));
  const std::vector<AxisStructure> terms = axis.is_sum() ? axis.parts : std::vector<AxisStructure>{axis};
  int64_t begin = 0;
  for (size_t t = 0; t < terms.size(); ++t) {
    for (const auto& place : places_of(terms[t], id))
      members.push_back({like.state, like.tensor, like.axis, groups.role(like.state, like.axis, t, id),
                         begin + place.offset, place.outer, place.outer_stride, place.inner});
    begin += terms[t].size;
  }
}

/// The members of a group, rebuilt from the axes: the same axes in the same order.
std::vector<Member> placed_anew(const Groups& groups, GroupId id) {
  std::vector<Member> members;
  for (const auto& member : groups.groups[id].members) {
    const bool listed =
        !members.empty() && members.back().state == member.state && members.back().axis == member.axis;
    if (!listed) append_members(groups, id, member, members);
  }
  return members;
}

}  // namespace

Groups resized_groups(const Groups& groups, const std::map<GroupId, int64_t>& widths) {
  Groups result = groups;
  std::vector<int64_t> all;
  for (const auto& group : groups.groups) all.push_back(group.width);
  for (const auto& [id, width] : widths) result.groups.at(id).width = all.at(id) = width;
  for (auto& axes : result.axes)
    for (auto& axis : axes) resize_axis(axis, all);
  for (auto& axes : result.value_axes)
    for (auto& axis : axes) resize_axis(axis, all);
  for (GroupId id = 0; id < result.groups.size(); ++id) result.groups[id].members = placed_anew(result, id);
  return result;
}

AnalysedNetwork resample_with_groups(const AnalysedNetwork& source,
                                     const std::map<GroupId, GroupMaps>& maps) {
  return {resample(source, maps), resized_groups(source.groups, widths_of(maps))};
}

}  // namespace inn
