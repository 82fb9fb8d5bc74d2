#pragma once
// Where batch norm's arguments stand in a call.

#include <cstddef>

namespace inn::batch_norm {

/// The places of aten::batch_norm's schema.
enum Place : size_t { kInput, kWeight, kBias, kMean, kVariance, kTraining, kMomentum, kEpsilon };

}  // namespace inn::batch_norm
