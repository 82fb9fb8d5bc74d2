#pragma once
// Verifies that every axis of every parameter belongs to a group.

#include <string>
#include <vector>

#include "inn/dimension/groups.h"

namespace inn {

/// Returns one line per violation of the following property; empty if it holds:
///
/// each position of each axis (with more than one position) of each state tensor is in a member of a group,
/// and each group has a unique name and members within their tensors whose number of channels is its width.
/// Every axis is therefore resizable or pinned with a reason.
std::vector<std::string> unlisted_axes(const AnalysedNetwork& source);

}  // namespace inn
