#pragma once
// Python identifiers for values.

#include <string>
#include <vector>

#include "inn/network/network.h"

namespace inn::pt2 {

/// Returns a distinct Python identifier for each value: its own name where that is one; of a state tensor
/// "p_", "b_" or "c_" and the tensor's name, as torch.export names them.
std::vector<std::string> python_names(const Network& network);

}  // namespace inn::pt2
