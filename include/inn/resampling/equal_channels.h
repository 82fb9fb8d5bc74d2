#pragma once
// Proving that an integral model is an integral: where all channels are equal, every width gives one output.

#include <string>
#include <vector>

#include "inn/resampling/verify.h"

namespace inn {

/// What the law of equal channels found of one group.
struct EqualChannelsVerification {
  GroupId group;
  std::string name;
  int64_t width;
  /// The greatest relative difference of the outputs at another width, and that width.
  double error = 0;
  int64_t worst_width = 0;
  std::string failure = {};  // "" where the law holds, or does not apply
  /// Why the law does not apply to the group, where it does not hold: an average or a softmax over it and
  /// other channels side by side gives each its share by their widths.
  std::string exception = {};
  bool ok() const { return failure.empty(); }
};

/// Proves for every group that can be resized, in float64 on a copy of the network: where all its channels
/// are equal (every member holds what it has of channel 0 for all of them), the integral model gives the
/// same outputs at half, an odd and twice the width as at its own by the rectangle rule, and at the odd one by
/// the trapezoid.
///
/// An integral of a constant is that constant whatever the points, so a quadrature weight that is missing,
/// doubled or misplaced shows, and nothing else does. A failure is reported, not thrown. Sums that no
/// parameter weighs are weighed first (`add_quadrature_buffers`). Not integrals, and so reported as failures: a product
/// and a count over channels (`prod`, `count_nonzero`), and a softmax over channels whose weights, or their
/// logarithms, are taken for values of a function instead of being summed over: they are shares of 1. Source: docs/math.md, "The law of equal channels".
std::vector<EqualChannelsVerification> verify_equal_channels(const AnalysedNetwork& source,
                                                             const VerifyOptions& options);

}  // namespace inn
