#pragma once
// Slices of tensors by channel, and smooth orders.

#include <ATen/core/Tensor.h>

#include <map>
#include <vector>

#include "inn/dimension/groups.h"
#include "inn/network/network.h"
#include "inn/resampling/maps.h"

namespace inn {

/// Returns the slices of tensor `member.tensor` by channel: [width, everything else]. A copy without
/// gradient.
at::Tensor member_rows(const Network& network, const Member& member, int64_t width);

/// Returns the same for `tensor`, in place of the member's tensor (e.g. its gradient). Differentiable; a view
/// if possible.
at::Tensor member_rows(const at::Tensor& tensor, const Member& member, int64_t width);

/// Returns a permutation of the group's channels that makes its tensors smooth, π: new channel k is old
/// channel π_k (docs/math.md, "Channel order"). Deterministic for a seed. The result for one group does not
/// depend on the order of others, because permuting another axis of a tensor does not change the distances
/// between its slices.
std::vector<int64_t> smooth_order(const AnalysedNetwork& source, GroupId group, uint64_t seed);

/// Returns smooth_order of each group, as maps that permute its channels. Groups are ordered in parallel, one
/// per thread, the widest first.
std::map<GroupId, GroupMaps> smooth_orders(const AnalysedNetwork& source, std::vector<GroupId> groups,
                                           uint64_t seed);

}  // namespace inn
