#pragma once
// The graph of an archive.

#include "inn/network/network.h"
#include "json.h"
#include "weights.h"

namespace inn::pt2 {

/// Returns the network of an exported program, its state and signature included.
Network read_program(const Json& program, TensorFolder& weights, TensorFolder& constants);

}  // namespace inn::pt2
