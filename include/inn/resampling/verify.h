#pragma once
// Proving groups on the network itself: permute, change the width, run.

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

#include "inn/dimension/groups.h"

namespace inn {

/// What was found of one group.
struct GroupVerification {
  GroupId group;
  std::string name;
  int64_t width;
  /// The greatest relative difference of the outputs after the group's channels were permuted in all its
  /// members.
  double permutation_error = 0;
  /// The same after permuting its producers alone: 0 means that the group reaches no output, and so nothing
  /// was proved.
  double producer_effect = 0;
  /// The widths at which the network ran: 1, half, twice.
  std::vector<int64_t> widths = {};
  std::string failure = {};  // "" where all holds
  bool ok() const { return failure.empty(); }
};

struct VerifyOptions {
  /// Weights are drawn anew, so that no branch is dead (norms that start at zero hide everything).
  bool redraw = true;
  /// Outputs may differ by so much, relative to the largest.
  double tolerance = 1e-9;
  uint64_t seed = 0;
  /// Called before each group with its index and the count.
  std::function<void(size_t, size_t)> progress = nullptr;
};

/// Returns random inputs of the network's example sizes: normal numbers for floating inputs, 1, 0, 1, 0, …
/// for others (indices that every table has, masks that leave something).
std::vector<c10::IValue> random_inputs(const Network& network, uint64_t seed);

/// Proves every group that can be resized, in float64 on a copy of the network: permuting its channels
/// changes no output; at widths 1, half and twice (by interpolation) the network runs and the outputs keep
/// their sizes. A failure is reported, not thrown. Source: the laws of tied axes (docs/dimension.md).
std::vector<GroupVerification> verify_groups(const AnalysedNetwork& source, const VerifyOptions& options);

/// Proves all groups in one: all permuted at once, all at width 1, half, twice. Some runs instead of some for
/// each group; a failure names no group.
GroupVerification verify_together(const AnalysedNetwork& source, const VerifyOptions& options);

}  // namespace inn
