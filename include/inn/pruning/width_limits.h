#pragma once
// What widths may be chosen.

#include <cstdint>

namespace inn {

enum class Rounding { nearest, up };

/// What the width of a group may be, whatever a fraction says.
struct WidthLimits {
  /// The greatest fraction of a group's channels that may be cut, in [0, 1].
  double max_cut = 1;
  /// Widths are multiples of this: the nearest (of two equally near the wider), or the next that is not less.
  int64_t round_to = 1;
  Rounding rounding = Rounding::nearest;
  /// Groups keep at least so many channels: all, where they have fewer.
  int64_t min_width = 1;
};

/// Throws std::invalid_argument where a limit is out of its range.
void check_limits(const WidthLimits& limits);

/// Returns the least width that a group of `source_width` channels may get: at least 1.
int64_t least_width(int64_t source_width, const WidthLimits& limits);

/// Returns the width that a group of `source_width` channels gets where `width` ≥ 0 is asked for: the
/// multiple of `round_to` that `rounding` says, of those from least_width up to the source width, or, where
/// `width` is above it, without end. A group that has no such multiple keeps its source width.
int64_t limited_width(int64_t width, int64_t source_width, const WidthLimits& limits);

}  // namespace inn
