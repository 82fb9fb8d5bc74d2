#pragma once
// Verifies that an integral model is an integral: with equal channels, the outputs do not depend on the width.

#include <string>
#include <vector>

#include "inn/resampling/verify.h"

namespace inn {

/// The result for one group.
struct EqualChannelsVerification {
  GroupId group;
  std::string name;
  int64_t width;
  /// The greatest relative difference of the outputs at another width, and that width.
  double error = 0;
  int64_t worst_width = 0;
  std::string failure = {};  // "" where the law holds, or does not apply
  /// Why the law does not apply to the group, if it does not hold: an average or a softmax over concatenated
  /// channels weighs each part by its width.
  std::string exception = {};
  bool ok() const { return failure.empty(); }
};

/// Verifies every resizable group, or those of the options, in float64 on a copy of the network: where all its
/// channels are equal (every member has the values of channel 0 in all of them), the integral model gives the
/// same outputs at half, an odd and twice the width as at its own by the rectangle rule, and at the odd one by
/// the trapezoid.
///
/// The integral of a constant is that constant for any points, so a missing, doubled or misplaced quadrature
/// weight changes the outputs, and nothing else does. A failure is reported, not thrown. Sums without
/// parameters get quadrature buffers first (`add_quadrature_buffers`). Reported as failures, since they are not
/// integrals: products and counts over channels (`prod`, `count_nonzero`), and a softmax over channels whose
/// results, or their logarithms, are used as values of a function instead of being summed over.
/// Source: docs/math.md, "The law of equal channels".
std::vector<EqualChannelsVerification> verify_equal_channels(const AnalysedNetwork& source,
                                                             const VerifyOptions& options);

}  // namespace inn
