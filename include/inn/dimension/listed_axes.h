#pragma once
// The law that no axis of a parameter is left out of the groups.

#include <string>
#include <vector>

#include "inn/dimension/groups.h"

namespace inn {

/// Returns what contradicts the law of listed axes, a line each; empty where it holds:
///
/// each position of each axis of each state tensor that has more than one position stands in a group's member,
/// and each group has a name of its own and members within their tensors, whose channels are as many as its
/// width. So an axis is resizable or pinned with a reason, never missing.
std::vector<std::string> unlisted_axes(const AnalysedNetwork& source);

}  // namespace inn
