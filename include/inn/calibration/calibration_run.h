#pragma once
// Iterating over the batches of a calibration.

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "inn/calibration/calibration.h"
#include "inn/core/error.h"
#include "inn/network/network.h"

namespace inn {

/// Puts the channels of convolutions' weights last, which a CPU convolves fastest, unless the network depends on
/// the order in memory.
void use_fastest_layout(Network& network);

/// Calls `visit(batch)` for every batch. Throws std::invalid_argument if there is none.
template <class Visit>
void for_each_batch(const Calibration& calibration, Visit&& visit) {
  require(calibration.batch != nullptr, "calibration", "Calibration: batches are required but not given.");
  int64_t index = 0;
  for (auto batch = calibration.batch(index); batch; batch = calibration.batch(++index)) visit(*batch);
  require(index > 0, "calibration", "Calibration: at least one batch is required but there is none.");
}

/// Runs the network in evaluation mode on every batch, and calls `observe(value, tensor, samples)` for each
/// value, with the batch's number of samples.
template <class Observe>
void observe_values(const Network& given, const Calibration& calibration, Observe&& observe) {
  Network network = given;
  network.set_training(false);
  use_fastest_layout(network);
  const auto tensors = network.tensors();
  for_each_batch(calibration, [&](const CalibrationBatch& batch) {
    const int64_t samples = batch.inputs.at(0).toTensor().size(0);
    network.forward(batch.inputs, tensors, {.observe = [&](ValueId value, const at::Tensor& tensor) {
                      observe(value, tensor, samples);
                    }});
  });
}

}  // namespace inn
