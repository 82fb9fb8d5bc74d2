#include "weight_average.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

namespace inn {

WeightAverage::WeightAverage(NamedTensors tensors, double decay)
    : tensors_(std::move(tensors)), decay_(decay) {
  for (const auto& [name, tensor] : tensors_) averages_.emplace(name, tensor.detach().clone());
}

void WeightAverage::update(int64_t step) {
  const at::NoGradGuard no_grad;
  const auto t = static_cast<double>(step);
  const double decay = std::min(decay_, (t + 1) / (t + 10));
  for (auto& [name, average] : averages_) {
    const auto& tensor = tensors_.at(name);
    if (tensor.is_floating_point()) {
      average.lerp_(tensor, 1 - decay);
    } else {
      average.copy_(tensor);
    }
  }
}

void WeightAverage::exchange() {
  const at::NoGradGuard no_grad;
  for (auto& [name, average] : averages_) {
    auto& tensor = tensors_.at(name);
    const auto kept = tensor.detach().clone();
    tensor.copy_(average);
    average.copy_(kept);
  }
}

void WeightAverage::restore(const NamedTensors& averages) {
  const at::NoGradGuard no_grad;
  for (const auto& [name, average] : averages_) averages.at(name);  // all or nothing
  for (auto& [name, average] : averages_) average.copy_(averages.at(name));
}

}  // namespace inn
