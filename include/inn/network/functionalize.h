#pragma once
// Removes in-place calls.

#include <optional>

#include "inn/network/network.h"

namespace inn {

/// Returns the network with in-place calls replaced by out-of-place ones, or nothing if a call writes into a
/// tensor that shares memory with another value.
std::optional<Network> functionalize(const Network& network);

}  // namespace inn
