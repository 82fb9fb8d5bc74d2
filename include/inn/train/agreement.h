#pragma once
// Agreement of two networks on unlabelled data.

#include <cstdint>

#include "inn/calibration/calibration.h"
#include "inn/data/batches.h"
#include "inn/data/dataset.h"
#include "inn/network/network.h"
#include "inn/train/evaluate.h"

namespace inn {

struct Agreement {
  double agreement = 0;  // agreeing/count
  int64_t agreeing = 0;  // number of samples for which both networks have the same argmax
  int64_t count = 0;     // samples, or positions for outputs per position
  double error = 0;      // Σ (a − b)²/Σ (b − b̄)², b the outputs of the reference
};

/// Compares the outputs of `network` with those of `reference` on `data`, both in evaluation mode on the
/// device and in the dtype of the reference's state. Classes are along axis 1 for outputs with four or more
/// axes ([N, C, H, W]), else along the last ([N, C], [N, positions, C]). Labels are ignored. Throws
/// std::invalid_argument if there is no data, or if outputs have fewer than two axes or different sizes.
Agreement agreement(const Network& network, const Network& reference, const Dataset& data,
                    const Normalization& normalization, const EvalOptions& options = {});
/// The same on batches of inputs, without their labels.
Agreement agreement(const Network& network, const Network& reference, const Calibration& data);

}  // namespace inn
