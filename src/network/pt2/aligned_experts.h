#pragma once
// Widths of experts that torch's grouped product takes.

#include <optional>

#include "inn/network/network.h"

namespace inn::pt2 {

/// Returns the network with the operands of each aten::_grouped_mm padded with zeros, and its result cut
/// again, so that rows begin at multiples of 16 bytes: Python's kernel takes no others. Nothing where every
/// call fits as it is. Only rows [s, k] with experts [e, k, n]; equal outputs.
std::optional<Network> with_aligned_experts(const Network& network);

}  // namespace inn::pt2
