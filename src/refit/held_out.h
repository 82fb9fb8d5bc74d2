#pragma once
// Which samples are held out while weights are fit to the others.

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>

#include "inn/core/error.h"

namespace inn {

/// Every so-manieth sample is held out; of fewer samples the last one.
struct HeldOut {
  HeldOut(int64_t asked, int64_t samples) : every(std::clamp<int64_t>(samples, 1, asked)) {}

  /// Returns whether each of `count` samples from `first` on is held out. A single sample is not: there is no
  /// other.
  at::Tensor of(int64_t first, int64_t count) const {
    const auto number = at::arange(first, first + count);
    return every > 1 ? number.remainder(every).eq(every - 1) : at::zeros_like(number, at::kBool);
  }

  int64_t every;
};

/// Throws std::invalid_argument where all samples would be held out, or none would be.
inline void check_held_out(int64_t every) {
  require(every >= 2, "resampling", "Refit: the validation interval must be at least 2 but got {}.", every);
}

}  // namespace inn
