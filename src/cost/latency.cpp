#include "inn/cost/latency.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "inn/core/error.h"

namespace inn {
namespace {

/// Waits until the device has done all that it was asked for.
void synchronize(c10::Device device) {
  if (device.is_cpu()) return;
  const c10::impl::VirtualGuardImpl guard(device.type());
  guard.synchronizeDevice(device.has_index() ? device.index() : guard.getDevice().index());
}

double quantile(const std::vector<double>& sorted, double fraction) {
  const double place = fraction * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(std::floor(place));
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

Latency quantiles(std::vector<double> seconds) {
  require(!seconds.empty(), "cost", "Quantiles: at least one time is required but there is none.");
  std::sort(seconds.begin(), seconds.end());
  return {.median = quantile(seconds, 0.5), .p10 = quantile(seconds, 0.1), .p90 = quantile(seconds, 0.9)};
}

Latency measure_latency(const Network& network, const std::vector<c10::IValue>& inputs,
                        const LatencyOptions& options) {
  require(options.repetitions >= 1 && options.warmup >= 0, "cost",
          "Latency: repetitions must be at least 1 and warmup at least 0 but got {} and {}.",
          options.repetitions, options.warmup);
  const at::NoGradGuard no_grad;
  Network measured = network;
  measured.set_training(false);
  c10::Device device(c10::kCPU);
  for (const auto& input : inputs)
    if (input.isTensor()) device = input.toTensor().device();
  for (int64_t run = 0; run < options.warmup; ++run) measured.forward(inputs);
  synchronize(device);
  std::vector<double> seconds;
  for (int64_t run = 0; run < options.repetitions; ++run) {
    const auto start = std::chrono::steady_clock::now();
    measured.forward(inputs);
    synchronize(device);
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return quantiles(std::move(seconds));
}

}  // namespace inn
