#pragma once
// Dead-code elimination.

#include "inn/network/network.h"

namespace inn {

/// Removes calls with unused number results (sizes, and arithmetic on them).
void remove_dead_number_calls(Network& network);

/// Removes all calls with unused results, except those that write into an argument.
void eliminate_dead_code(Network& network);

}  // namespace inn
