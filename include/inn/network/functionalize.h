#pragma once
// A network without in-place calls.

#include <optional>

#include "inn/network/network.h"

namespace inn {

/// Returns the network with in-place calls replaced by calls that make new tensors, or nothing where one
/// writes into a tensor that another value shares.
std::optional<Network> functionalize(const Network& network);

}  // namespace inn
