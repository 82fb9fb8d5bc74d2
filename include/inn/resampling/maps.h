#pragma once
// Resampling: a pair of linear maps for each group.

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "inn/axis_map/axis_map.h"
#include "inn/dimension/groups.h"
#include "inn/network/network.h"
#include "inn/quadrature/quadrature.h"
#include "inn/weight_function/interpolation_kernel.h"

namespace inn {

/// The maps that resample a group from width n to m: producing axes become produce·W, consuming axes
/// W·consumeᵀ. Both m×n.
struct GroupMaps {
  AxisMap produce, consume;
  /// Maps of whole axes, by state tensor and axis, which replace those of the groups in them: used if each
  /// head has its own maps.
  std::map<std::pair<size_t, int64_t>, AxisMap> whole = {};
};

/// Integral network: produce = Φ, consume = diag(q)·Φ·diag(1/Q); q are the quadrature's weights at `points`
/// [m], Q those at the n uniform source points. Identities, exactly, where the points are the source's.
/// Differentiable in `points`.
GroupMaps interpolation_maps(int64_t source_width, const at::Tensor& points,
                             const InterpolationKernel& kernel, const Quadrature& quadrature);

/// Selection of channels `indices` (in that order): pruning, or a permutation if all are selected.
GroupMaps selection_maps(int64_t source_width, const std::vector<int64_t>& indices);
/// Selection of the first `width` channels, if only the width matters.
GroupMaps first_channels(int64_t source_width, int64_t width);

/// Returns `after` composed with `before`, for produce and consume; maps of whole axes are omitted.
GroupMaps compose_maps(const GroupMaps& after, const GroupMaps& before);

/// Returns the map of the whole axis `axis` of state tensor `state`: its own if a group has one, else that of
/// all groups in it, each by its role.
AxisMap axis_map(const Groups& groups, size_t state, int64_t axis, const std::map<GroupId, GroupMaps>& maps);

/// Returns state tensor `state` with the maps of its groups applied along its axes, smallest result first.
/// Groups without an entry keep their channels. A running variance is clamped to the range of its source.
/// Differentiable.
at::Tensor apply_maps(const Groups& groups, size_t state, const at::Tensor& tensor,
                      const std::map<GroupId, GroupMaps>& maps);

/// Returns the state with the maps applied: apply_maps for tensors with a mapped group, the other tensors
/// themselves.
std::vector<at::Tensor> apply_maps(const Groups& groups, const Network& network,
                                   const std::map<GroupId, GroupMaps>& maps);

/// Returns the widths after the maps.
std::map<GroupId, int64_t> widths_of(const std::map<GroupId, GroupMaps>& maps);

/// Returns the values of the network's size symbols for these widths, for Network::ForwardOptions.
std::vector<int64_t> symbol_values(const Groups& groups, const Network& network,
                                   const std::map<GroupId, int64_t>& widths);

/// Parameters that no map touches.
enum class Untouched {
  copied,
  shared,  // with the source: to be replaced as a whole, never written to
};

/// Returns the ordinary network with the maps applied: new state and sizes. The source is not changed. Throws
/// std::invalid_argument if a group is pinned or a map does not start at its width.
Network resample(const AnalysedNetwork& source, const std::map<GroupId, GroupMaps>& maps,
                 Untouched untouched = Untouched::copied);

}  // namespace inn
