#include "inn/methods/distillation_data.h"

#include <ATen/ATen.h>

#include "inn/calibration/hold_out.h"
#include "inn/core/error.h"

namespace inn {
namespace {

constexpr int64_t kHeldOutEvery = 5;

}  // namespace

std::pair<Dataset, Dataset> hold_out(const Dataset& samples, int64_t every) {
  const int64_t count = samples.size();
  require(count >= 2, "methods", "Two samples are required to hold one out but '{}' has {}.", samples.source,
          count);
  const at::Tensor is_held = HeldOut(every, count).of(0, count);
  return {samples.select(is_held.logical_not().nonzero().flatten()),
          samples.select(is_held.nonzero().flatten())};
}

DistillationData distillation_data(const CalibrationData& data, const Network& network) {
  auto [rest, held_out] = hold_out(data.samples, kHeldOutEvery);
  return {.training =
              [rest, network, normalization = data.normalization, device = data.device,
               augmentation = data.augmentation](int64_t epoch) {
                return calibration_of({rest, normalization, device, augmentation}, network,
                                      Measured::activations, epoch);
              },
          .held_out =
              calibration_of({held_out, data.normalization, data.device}, network, Measured::activations)};
}

DistillationData distillation_data(const Calibration& data) {
  auto [rest, held_out] = hold_out(data, kHeldOutEvery);
  return {.training = [rest](int64_t) { return rest; }, .held_out = held_out};
}

}  // namespace inn
