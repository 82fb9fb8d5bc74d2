#include "inn/resampling/rows.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "inn/ordering/path_cost.h"
#include "inn/ordering/shortest_path.h"

namespace inn {

at::Tensor member_rows(const Network& network, const Member& member, int64_t width) {
  at::NoGradGuard no_grad;
  const at::Tensor tensor = network.state.at(member.state).tensor.movedim(member.axis, 0);
  const auto c = at::arange(width).view({width, 1, 1}) * member.inner;
  const auto o = at::arange(member.outer).view({1, member.outer, 1}) * member.outer_stride;
  const auto i = at::arange(member.inner).view({1, 1, member.inner});
  const auto index = (c + o + i + member.offset).reshape({-1}).to(tensor.device());
  return tensor.index_select(0, index).reshape({width, -1});
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
