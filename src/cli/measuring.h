#pragma once
// Images that something is measured on.

#include "inn/calibration/calibration.h"
#include "inn/data/batches.h"
#include "inn/data/dataset.h"
#include "inn/network/network.h"

namespace inn::cli {

/// Images, and how they are brought to a network.
struct MeasuringImages {
  const Dataset& images;
  const Normalization& normalization;
  c10::Device device;
  Augmentation augmentation = {};
};

/// Returns the samples in batches as `network` takes them, with the mean cross entropy of each as its loss.
/// Throws std::invalid_argument where gradients are needed and there are no labels.
Calibration calibration_of(const MeasuringImages& data, const Network& network, Measured needs);

}  // namespace inn::cli
