#include "inn/resampling/rows.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "inn/ordering/path_cost.h"
#include "inn/ordering/shortest_path.h"
#include "resampling/places.h"

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
  for (const auto& member : source.groups.groups[group].members)
    if (source.network.state[member.state].tensor.is_floating_point())
      rows.push_back(member_rows(source.network, member, width));
  return shortest_path(path_cost(rows), {.seed = seed});
}

}  // namespace inn
