#pragma once
// Calibration data as the samples of a distillation.

#include <cstdint>
#include <utility>

#include "inn/calibration/calibration.h"
#include "inn/data/dataset.h"
#include "inn/network/network.h"
#include "inn/refit/distill.h"
#include "inn/train/dataset_calibration.h"

namespace inn {

/// Returns all samples but every `every`-th, the last one at least, and those. Throws std::invalid_argument if there are
/// fewer than two.
std::pair<Dataset, Dataset> hold_out(const Dataset& samples, int64_t every = 5);

/// Returns the samples of a distillation for `network`: every fifth is held out, the others are shuffled and
/// augmented anew in each epoch. Throws std::invalid_argument if there are fewer than two.
DistillationData distillation_data(const CalibrationData& data, const Network& network);
/// The same of given batches, which stay as they are in each epoch.
DistillationData distillation_data(const Calibration& data);

}  // namespace inn
