#pragma once
// Dead-code elimination.

#include <functional>

#include "inn/network/network.h"

namespace inn {

/// Removes, from the last call to the first, those that `may_go` allows and whose results nothing left reads.
void remove_unread_calls(Network& network, const std::function<bool(const Call&)>& may_go);

/// Removes calls with unused number results (sizes, and arithmetic on them).
void remove_dead_number_calls(Network& network);

/// Removes all calls with unused results, except those that write into an argument.
void eliminate_dead_code(Network& network);

}  // namespace inn
