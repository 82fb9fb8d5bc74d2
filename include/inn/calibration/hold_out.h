#pragma once
// Calibration samples that are held out for validation.

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "inn/calibration/calibration.h"

namespace inn {

/// Every k-th sample is used for validation; with fewer samples, the last one.
struct HeldOut {
  HeldOut(int64_t asked, int64_t samples);

  /// Returns whether each of `count` samples from `first` is used for validation; a single sample is not.
  at::Tensor of(int64_t first, int64_t count) const;

  int64_t every;
};

struct SplitCalibration {
  Calibration rest, held_out;
};

/// Splits the samples of all batches by HeldOut. Samples are along axis 0
/// of each tensor input of that size, and of the labels. The samples of all ranks are
/// counted. Reads every batch once. Throws std::invalid_argument
/// unless there are two samples and `every` ≥ 2.
SplitCalibration hold_out(const Calibration& calibration, int64_t every = 5);

}  // namespace inn
