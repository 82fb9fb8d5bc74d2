#pragma once
// A data set as calibration data.

#include <c10/core/Device.h>

#include <cstdint>
#include <optional>

#include "inn/calibration/calibration.h"
#include "inn/data/batches.h"
#include "inn/data/dataset.h"
#include "inn/network/network.h"

namespace inn {

/// Samples and their preprocessing. The data set and the normalization must outlive it.
struct CalibrationData {
  const Dataset& samples;
  const Normalization& normalization;
  c10::Device device = c10::kCPU;
  Augmentation augmentation = {};  // of images: as in training
};

/// Returns the samples in batches for `network`, with the mean cross entropy of each sample as loss: in their
/// order, or shuffled as in epoch `shuffled`. If `needs` are gradients, throws std::invalid_argument if the samples
/// have no class labels.
Calibration calibration_of(const CalibrationData& data, const Network& network, Measured needs,
                           std::optional<int64_t> shuffled = {});

}  // namespace inn
