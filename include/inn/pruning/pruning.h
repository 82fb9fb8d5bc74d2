#pragma once
// Which channels to keep: widths from scores.

#include <ATen/core/Tensor.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "inn/dimension/groups.h"
#include "inn/pruning/width_limits.h"
#include "inn/resampling/maps.h"

namespace inn {

/// Which channels are compared with each other.
enum class PruningScope {
  uniform,     // within each group: every group keeps its fraction
  global,      // across all groups with the same fraction: one threshold
  isomorphic,  // across such groups of the same structure: one threshold per structure (see structure_of)
};

struct PruneOptions {
  /// The fraction of the channels that is kept, in [0, 1], of `groups` (globs; empty: `unnamed`) without
  /// `exclude` (globs).
  std::optional<double> keep = {};
  std::vector<std::string> groups = {};
  /// The groups that `keep` is for where none are named. Nothing: inn::fraction_groups of the network, which
  /// cuts one factor of a product, so that each axis keeps the fraction and not its square.
  std::optional<std::vector<GroupId>> unnamed = {};
  std::vector<std::string> exclude = {};
  /// Fractions for groups that match a glob; the last match wins.
  std::vector<std::pair<std::string, double>> keep_of = {};
  /// Exact widths of groups by name, which take precedence.
  std::map<std::string, int64_t> widths = {};
  PruningScope scope = PruningScope::uniform;
  WidthLimits limits = {};
};

/// Progress of an iterative cut.
struct PruningProgress {
  /// The fraction of the cut to make, in [0, 1]: a group with final fraction F keeps 1 − share·(1 − F).
  double share = 1;
  /// The widths of all groups, by id, to which fractions refer; empty: the current ones.
  std::vector<int64_t> source_widths = {};
};

/// The channels to keep, and notes for the user.
struct PrunePlan {
  std::map<GroupId, std::vector<int64_t>> kept;  // ascending
  /// "Group 'conv1': keeping 0.01 of 6 channels would leave none; it keeps 1."
  std::vector<std::string> notes = {};

  std::map<GroupId, GroupMaps> maps(const Groups& groups) const;
};

/// Returns the fraction that each group keeps which has one. Throws std::invalid_argument for a pattern of no
/// group, or of pinned ones only.
std::map<GroupId, double> kept_fractions(const AnalysedNetwork& source, const PruneOptions& options);

/// Returns the groups selected by the options, ascending. Throws std::invalid_argument for a fraction outside
/// [0, 1], a name or pattern without group, a width outside [1, the group's], limits out of range, and if
/// neither a fraction nor a width is given.
std::vector<GroupId> groups_to_prune(const AnalysedNetwork& source, const PruneOptions& options);

/// Returns a plan for the groups of `scores` ([width], float64, by importance_scores).
///
/// Of N channels that are compared with each other at fraction F, the max(1, round(F·N)) with the highest
/// scores are kept, but of each group at least its minimum width (see WidthLimits), such that the sum of kept
/// scores is maximal under these limits. Then each group's number of channels is rounded to multiples. For
/// ties the earlier channels are kept. Notes list groups that would have kept nothing. Throws
/// std::invalid_argument as groups_to_prune does.
PrunePlan plan_pruning(const AnalysedNetwork& source, const std::map<GroupId, at::Tensor>& scores,
                       const PruneOptions& options, const PruningProgress& progress = {});

}  // namespace inn
