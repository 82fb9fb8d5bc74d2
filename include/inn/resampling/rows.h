#pragma once
// The slices of tensors that belong to single channels.

#include <ATen/core/Tensor.h>

#include <map>
#include <vector>

#include "inn/dimension/groups.h"
#include "inn/network/network.h"
#include "inn/resampling/maps.h"

namespace inn {

/// Returns what tensor `member.tensor` holds of each channel: [width, everything else]. A copy, no gradient.
at::Tensor member_rows(const Network& network, const Member& member, int64_t width);

/// Returns the same of `tensor`, which stands for the member's tensor (its gradient, say). Differentiable; a
/// view where it can be.
at::Tensor member_rows(const at::Tensor& tensor, const Member& member, int64_t width);

/// Returns a permutation of the group's channels that makes its tensors smooth, π: new channel k is old
/// channel π_k (docs/math.md, "Channel order"). Deterministic by seed. The choice for one group does not
/// depend on the order of the others, since permuting another axis of a tensor changes no distance between
/// its slices.
std::vector<int64_t> smooth_order(const AnalysedNetwork& source, GroupId group, uint64_t seed);

/// Returns smooth_order of each group, as maps that permute its channels. Several groups are ordered at once,
/// one a thread, the widest first.
std::map<GroupId, GroupMaps> smooth_orders(const AnalysedNetwork& source, std::vector<GroupId> groups,
                                           uint64_t seed);

}  // namespace inn
