#pragma once
// Latency of a network.

#include <ATen/core/ivalue.h>

#include <cstdint>
#include <vector>

#include "inn/network/network.h"

namespace inn {

/// Seconds of one run: half of all runs are faster than the median, a tenth faster than p10 and a tenth
/// slower than p90.
struct Latency {
  double median = 0, p10 = 0, p90 = 0;
};

struct LatencyOptions {
  int64_t repetitions = 30;
  int64_t warmup = 5;  // runs before those that count
};

/// Measures the latency for `inputs`, without gradients, in evaluation mode, on the device of the inputs
/// (with synchronization). Throws std::invalid_argument unless repetitions ≥ 1 and warmup ≥ 0.
Latency measure_latency(const Network& network, const std::vector<c10::IValue>& inputs,
                        const LatencyOptions& options = {});

/// Returns the quantiles of measured times, with linear interpolation. Throws std::invalid_argument if there
/// are none.
Latency quantiles(std::vector<double> seconds);

}  // namespace inn
