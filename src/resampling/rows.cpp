#include "inn/resampling/rows.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <atomic>

#include "inn/dimension/channel_places.h"
#include "inn/ordering/path_cost.h"
#include "inn/ordering/shortest_path.h"

namespace inn {

at::Tensor member_rows(const at::Tensor& tensor, const Member& member, int64_t width) {
  return rows_at(tensor, member.axis, {member.offset, member.outer, member.outer_stride, member.inner},
                 width);
}

at::Tensor member_rows(const Network& network, const Member& member, int64_t width) {
  at::NoGradGuard no_grad;
  return member_rows(network.state.at(member.state).tensor.detach(), member, width).clone();
}

std::vector<int64_t> smooth_order(const AnalysedNetwork& source, GroupId group, uint64_t seed) {
  const int64_t width = source.groups.groups.at(group).width;
  std::vector<at::Tensor> rows;
  for (const auto& member : source.groups.groups[group].members) {
    const at::Tensor tensor = source.network.state[member.state].tensor.detach();
    if (is_inexact(tensor)) rows.push_back(member_rows(tensor, member, width));
  }
  return shortest_path(path_cost(rows), {.seed = seed});
}

std::map<GroupId, GroupMaps> smooth_orders(const AnalysedNetwork& source, std::vector<GroupId> groups,
                                           uint64_t seed) {
  const auto width = [&](GroupId id) { return source.groups.groups[id].width; };
  std::stable_sort(groups.begin(), groups.end(), [&](GroupId a, GroupId b) { return width(a) > width(b); });
  std::vector<std::vector<int64_t>> orders(groups.size());
  std::atomic<size_t> next{0};
  const auto workers = std::min<int64_t>(at::get_num_threads(), static_cast<int64_t>(groups.size()));
  at::parallel_for(0, workers, 1, [&](int64_t, int64_t) {
    for (size_t g = next++; g < groups.size(); g = next++) orders[g] = smooth_order(source, groups[g], seed);
  });
  std::map<GroupId, GroupMaps> permutations;
  for (size_t g = 0; g < groups.size(); ++g)
    permutations.emplace(groups[g], selection_maps(width(groups[g]), orders[g]));
  return permutations;
}

}  // namespace inn
