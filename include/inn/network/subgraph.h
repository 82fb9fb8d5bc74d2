#pragma once
// A part of a network as a network.

#include <span>

#include "inn/network/network.h"

namespace inn {

/// The part of a network, from call `begin` on, that computes `wanted`: its inputs are the values that the
/// part reads and does not make. The state stays whole.
Network subgraph(const Network& network, size_t begin, std::span<const ValueId> wanted);

}  // namespace inn
