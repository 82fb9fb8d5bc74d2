#pragma once
// Conversion to an integral model, with orders that are measured on data.

#include <optional>

#include "inn/calibration/calibration.h"
#include "inn/model/integral_model.h"
#include "inn/train/dataset_calibration.h"

namespace inn {

/// Returns the network, whose tensors are on the CPU, as an integral model. Order "nodes" is measured on the
/// first samples of `data`, without their labels; throws std::invalid_argument where there are none.
IntegralModel convert_on(const Network& network, ConvertOptions options,
                         const std::optional<CalibrationData>& data);
/// The same, measured on all batches of `data`.
IntegralModel convert_on(const Network& network, ConvertOptions options, const Calibration& data);

}  // namespace inn
