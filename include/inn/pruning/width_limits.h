#pragma once
// Limits on widths.

#include <cstdint>

namespace inn {

enum class Rounding { nearest, up };

/// Limits on the width of a group, which take precedence over fractions.
struct WidthLimits {
  /// Maximum fraction of a group's channels to remove, in [0, 1].
  double max_cut = 1;
  /// Widths are multiples of this: the nearest (for ties the wider), or the next larger or equal.
  int64_t round_to = 1;
  Rounding rounding = Rounding::nearest;
  /// Minimum width; narrower groups keep all channels.
  int64_t min_width = 1;
};

/// Throws std::invalid_argument if a limit is out of range.
void check_limits(const WidthLimits& limits);

/// Returns the minimum width of a group with `source_width` channels: at least 1.
int64_t least_width(int64_t source_width, const WidthLimits& limits);

/// Returns the width of a group with `source_width` channels if `width` ≥ 0 is requested: the multiple of
/// `round_to` by `rounding` that is at least least_width and at most the source width (unbounded if `width`
/// exceeds it). A group without such a multiple keeps its source width.
int64_t limited_width(int64_t width, int64_t source_width, const WidthLimits& limits);

}  // namespace inn
