#pragma once
// Calls whose results nobody reads.

#include "inn/network/network.h"

namespace inn {

/// Removes the calls that give only numbers (sizes, and arithmetic on them) that nothing reads.
void remove_dead_number_calls(Network& network);

/// Removes all calls whose results nothing reads, but for those that write into an argument.
void eliminate_dead_code(Network& network);

}  // namespace inn
