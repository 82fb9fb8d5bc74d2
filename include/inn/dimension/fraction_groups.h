#pragma once
// Which groups a fraction of the network's widths is for.

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "inn/dimension/groups.h"

namespace inn {

/// A product that an axis of the state is, or holds as a part: of heads and head dimension, of the channels
/// and the multiplier of a depthwise convolution.
struct AxisProduct {
  /// Groups that can be resized, outermost factor first; a factor that is a concatenation has several. Numbers
  /// and pinned groups are left out.
  std::vector<std::vector<GroupId>> factors;
  /// The axes (index in Network::state, axis) that hold it.
  std::vector<std::pair<size_t, int64_t>> axes;
};

/// Returns the products with two factors or more that can be resized, in the order of the state, each once.
std::vector<AxisProduct> axis_products(const Groups& groups);

/// Returns the groups that can be resized and that training made: all but those whose only producers are
/// buffers or constants (the joints of a fixed adjacency matrix). Where the network has no parameters (all its
/// weights were stored as constants) those too. Ascending.
std::vector<GroupId> learned_groups(const AnalysedNetwork& source);

/// Returns the groups, of `candidates`, that a fraction is for where none are named: so many that every axis
/// gets the fraction, and not its square. Ascending.
///
/// Of each product one factor at most: the heads of attention (groups over which a contraction of two
/// activations is batched), else the widest. The multiplier of a depthwise convolution, and a group of width
/// 1, only where no other factor can be resized. A group that stands in no product of candidates is there.
std::vector<GroupId> fraction_groups(const AnalysedNetwork& source, const std::vector<GroupId>& candidates);
/// Of the learned groups.
std::vector<GroupId> fraction_groups(const AnalysedNetwork& source);

}  // namespace inn
