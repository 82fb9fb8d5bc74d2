#pragma once
// Lifetimes of values.

#include <vector>

#include "inn/network/network.h"

namespace inn {

/// When the executor releases the values of a network.
struct Liveness {
  std::vector<ValueId> unread;                 // inputs that no call uses: at once
  std::vector<std::vector<ValueId>> released;  // by call: after it
};

/// Returns when each value is released. Outputs never are.
Liveness liveness_of(const Network& network);

}  // namespace inn
