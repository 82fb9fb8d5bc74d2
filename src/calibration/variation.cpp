#include "inn/calibration/variation.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "inn/core/ranks.h"

namespace inn {

void Variation::add(const at::Tensor& value) {
  const at::Tensor numbers = value.to(at::kDouble);
  sum_ += numbers.sum().item<double>();
  square_ += numbers.square().sum().item<double>();
  count_ += static_cast<double>(numbers.numel());
}

void Variation::sum_over_ranks() {
  for (auto* number : {&sum_, &square_, &count_}) inn::sum_over_ranks(*number);
}

double Variation::sum() const { return std::max(0.0, square_ - sum_ * sum_ / std::max(1.0, count_)); }

}  // namespace inn
