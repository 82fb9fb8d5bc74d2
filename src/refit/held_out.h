#pragma once
// Validation samples of fits.

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>

#include "inn/core/error.h"

namespace inn {

/// Every k-th sample is used for validation; with fewer samples, the last one.
struct HeldOut {
  HeldOut(int64_t asked, int64_t samples) : every(std::clamp<int64_t>(samples, 1, asked)) {}

  /// Returns whether each of `count` samples from `first` is used for validation; a single sample is not.
  at::Tensor of(int64_t first, int64_t count) const {
    const auto number = at::arange(first, first + count);
    return every > 1 ? number.remainder(every).eq(every - 1) : at::zeros_like(number, at::kBool);
  }

  int64_t every;
};

/// Throws std::invalid_argument if all samples or none would be used for validation.
inline void check_held_out(int64_t every) {
  require(every >= 2, "refit", "Refit: the validation interval must be at least 2 but got {}.", every);
}

}  // namespace inn
