#include "inn/pruning/width_limits.h"

#include <algorithm>
#include <cmath>

#include "inn/core/error.h"

namespace inn {

void check_limits(const WidthLimits& limits) {
  require(limits.max_cut >= 0 && limits.max_cut <= 1, "pruning",
          "max_cut: must be a fraction in [0, 1] but got {}.", limits.max_cut);
  require(limits.round_to >= 1, "pruning", "round_to: must be at least 1 but got {}.", limits.round_to);
  require(limits.min_width >= 1, "pruning", "min_width: must be at least 1 but got {}.", limits.min_width);
}

int64_t least_width(int64_t source_width, const WidthLimits& limits) {
  constexpr double kRounding = 1e-9;  // 0.7·10 is 7, though its nearest double is below
  const auto cut =
      static_cast<int64_t>(std::floor(limits.max_cut * static_cast<double>(source_width) + kRounding));
  return std::max({int64_t{1}, source_width - cut, std::min(limits.min_width, source_width)});
}

int64_t limited_width(int64_t width, int64_t source_width, const WidthLimits& limits) {
  const int64_t step = limits.round_to, least = least_width(source_width, limits);
  const int64_t first = (least + step - 1) / step;
  int64_t last = source_width / step;
  if (width > source_width) last = width / step + 1;
  if (first > last) return source_width;
  const auto asked = static_cast<double>(width) / static_cast<double>(step);
  const auto steps =
      static_cast<int64_t>(limits.rounding == Rounding::up ? std::ceil(asked) : std::round(asked));
  return std::clamp(steps, first, last) * step;
}

}  // namespace inn
