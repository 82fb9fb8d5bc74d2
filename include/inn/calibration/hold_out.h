#pragma once
// Calibration samples that are held out for validation.

#include <cstdint>

#include "inn/calibration/calibration.h"

namespace inn {

struct SplitCalibration {
  Calibration rest, held_out;
};

/// Splits the samples of all batches: every `every`-th is held out, the last one at least. Samples are along axis 0
/// of each tensor input of that size, and of the labels. The samples of all ranks are
/// counted. Reads every batch once. Throws std::invalid_argument
/// unless there are two samples and `every` ≥ 2.
SplitCalibration hold_out(const Calibration& calibration, int64_t every = 5);

}  // namespace inn
