#pragma once
// What all ways of cutting groups by data ask of a network.

#include <c10/core/ScalarType.h>

#include <map>

#include "inn/dimension/groups.h"

namespace inn {

/// Returns the dtype of maps: float64 if a weight has it, else float32, which is precise enough for narrower ones.
c10::ScalarType weight_type(const Network& network);

/// Throws std::invalid_argument for a pinned group and for a width outside [1, source width].
void check_widths(const AnalysedNetwork& source, const std::map<GroupId, int64_t>& widths);

}  // namespace inn
