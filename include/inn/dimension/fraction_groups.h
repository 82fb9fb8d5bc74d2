#pragma once
// Groups to which a fraction of the widths applies.

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "inn/dimension/groups.h"

namespace inn {

/// A product that is an axis of the state or a part of one: heads and head dimension, or channels and
/// multiplier of a depthwise convolution.
struct AxisProduct {
  /// Resizable groups, outermost factor first; a factor that is a concatenation has several. Constants and
  /// pinned groups are omitted.
  std::vector<std::vector<GroupId>> factors;
  /// The axes (index in Network::state, axis) that contain it.
  std::vector<std::pair<size_t, int64_t>> axes;
};

/// Returns the products with two or more resizable factors, in the order of the state, without repetitions.
std::vector<AxisProduct> axis_products(const Groups& groups);

/// Returns the resizable groups with learned producers: all except those whose only producers are buffers or
/// constants (the joints of a fixed adjacency matrix). If the network has no parameters (all weights are
/// stored as constants), those too. Ascending.
std::vector<GroupId> learned_groups(const AnalysedNetwork& source);

/// Returns the groups of `candidates` to which a fraction applies by default, such that every axis gets the
/// fraction rather than its square. Ascending.
///
/// Of each product at most one factor: the heads of attention (groups over which a contraction of two
/// activations is batched), else the widest; the multiplier of a depthwise convolution or a group of width 1
/// only if no other factor can be resized. Groups that are in no product of candidates are included.
std::vector<GroupId> fraction_groups(const AnalysedNetwork& source, const std::vector<GroupId>& candidates);
/// The same for the learned groups.
std::vector<GroupId> fraction_groups(const AnalysedNetwork& source);

}  // namespace inn
