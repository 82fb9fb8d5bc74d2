#pragma once
// Verification of groups on the network itself: permute channels, change widths, run.

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

#include "inn/dimension/groups.h"

namespace inn {

/// The result for one group.
struct GroupVerification {
  GroupId group;
  std::string name;
  int64_t width;
  /// The maximum relative difference of the outputs after permuting the group's channels in all members.
  double permutation_error = 0;
  /// The same after permuting only its producers: 0 means that the group does not affect the outputs, so the
  /// verification is vacuous.
  double producer_effect = 0;
  /// The widths at which the network ran: 1, half, twice.
  std::vector<int64_t> widths = {};
  std::string failure = {};  // "" if everything holds
  bool ok() const { return failure.empty(); }
};

struct VerifyOptions {
  /// Groups to verify, resizable ones; empty: all resizable groups.
  std::vector<GroupId> groups = {};
  /// Use random weights, so that no branch is dead (norms initialized to zero hide everything).
  bool redraw = true;
  /// Tolerance of outputs, relative to the largest.
  double tolerance = 1e-9;
  uint64_t seed = 0;
  /// Called before each group with its index and the count.
  std::function<void(size_t, size_t)> progress = nullptr;
};

/// Returns random inputs of the network's example sizes: normally distributed floating-point inputs, and 1,
/// 0, 1, 0, … for others (valid indices and masks).
std::vector<c10::IValue> random_inputs(const Network& network, uint64_t seed);

/// Verifies every resizable group, in float64 on a copy of the network: permuting its channels changes no
/// output; at widths 1, half and twice (by interpolation) the network runs and the outputs keep their sizes.
/// A failure is reported, not thrown. See docs/dimension.md.
std::vector<GroupVerification> verify_groups(const AnalysedNetwork& source, const VerifyOptions& options);

/// Verifies all groups at once: all permuted, all at width 1, half, twice. Faster than verify_groups, but a
/// failure names no group.
GroupVerification verify_together(const AnalysedNetwork& source, const VerifyOptions& options);

}  // namespace inn
