#pragma once
// Subgraphs.

#include <span>

#include "inn/network/network.h"

namespace inn {

/// Returns the subgraph from call `begin` on that computes `wanted`. Its inputs are the values that it uses
/// but does not compute. The state is kept completely.
Network subgraph(const Network& network, size_t begin, std::span<const ValueId> wanted);

}  // namespace inn
