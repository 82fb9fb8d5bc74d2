#pragma once
// What a network tells of the sizes of its values, at other widths.

#include "inn/dimension/groups.h"

namespace inn {

/// Sets the sizes of all values of `network`, the formulas of those that are dynamic and have another factor
/// now (heads folded into a batch: 3·n becomes 2·n), and the numbers that calls compute of sizes, to what
/// they are where group g has width `widths[g]`. The network's symbols have their values.
void set_sizes(Network& network, const Groups& groups, const std::vector<int64_t>& widths);

}  // namespace inn
