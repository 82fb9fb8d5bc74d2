#pragma once
// Positions of batch norm's arguments in a call.

#include <cstddef>

namespace inn::batch_norm {

/// Positions in the schema of aten::batch_norm.
enum Place : size_t { kInput, kWeight, kBias, kMean, kVariance, kTraining, kMomentum, kEpsilon };

}  // namespace inn::batch_norm
