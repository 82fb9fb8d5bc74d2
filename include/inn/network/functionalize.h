#pragma once
// Removes in-place calls.

#include <optional>

#include "inn/network/network.h"

namespace inn {

/// Calls that write into a slice of a tensor: whether they make `functionalize` give up, or become scatters, which are calls and values
/// that the network did not have.
enum class WrittenSlices { refused, scattered };

/// Returns the network with in-place calls replaced by out-of-place ones, or nothing if a call writes into a
/// tensor that shares memory with another value.
std::optional<Network> functionalize(const Network& network, WrittenSlices slices = WrittenSlices::refused);

}  // namespace inn
