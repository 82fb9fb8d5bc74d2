#pragma once
// Which channels are kept: widths from scores.

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
  uniform,     // those of one group: each keeps its fraction
  global,      // those of all groups that keep the same fraction: one threshold
  isomorphic,  // those of all such groups of one structure: a threshold for each (see structure_of)
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
  /// Fractions for the groups that a glob names; the last that names a group holds.
  std::vector<std::pair<std::string, double>> keep_of = {};
  /// Widths of groups by name, exactly, whatever else is said of them.
  std::map<std::string, int64_t> widths = {};
  PruningScope scope = PruningScope::uniform;
  WidthLimits limits = {};
};

/// How far a cut in several steps has come.
struct PruningProgress {
  /// The share of the cut that is made, in [0, 1]: a group that is to keep F keeps 1 − share·(1 − F).
  double share = 1;
  /// The widths of all groups, by id, of which fractions are taken; empty: those that they have.
  std::vector<int64_t> source_widths = {};
};

/// The channels that are kept, and what is to be said of them.
struct PrunePlan {
  std::map<GroupId, std::vector<int64_t>> kept;  // ascending
  /// "Group 'conv1': 0.01 of 6 channels would leave none; it keeps 1."
  std::vector<std::string> notes = {};

  std::map<GroupId, GroupMaps> maps(const Groups& groups) const;
};

/// Returns the fraction that each group keeps which has one. Throws std::invalid_argument for a pattern of no
/// group, or of pinned ones only.
std::map<GroupId, double> kept_fractions(const AnalysedNetwork& source, const PruneOptions& options);

/// Returns the groups that the options name, ascending. Throws std::invalid_argument for a fraction outside
/// [0, 1], a name or pattern of no group, a width outside [1, the group's], limits out of their range, and
/// where neither a fraction nor a width is given.
std::vector<GroupId> groups_to_prune(const AnalysedNetwork& source, const PruneOptions& options);

/// Returns a plan for the groups of `scores` ([width], float64, by importance_scores).
///
/// Of the N channels that are compared with each other and keep the fraction F, max(1, round(F·N)) with the
/// greatest scores are kept, and of each group at least its least width (see WidthLimits), so that the sum of
/// the kept scores is the greatest that there is under those limits. Then each group's count is rounded to
/// multiples, and it keeps its best. Equal scores: the earlier. Groups that would have kept nothing are
/// noted. Throws std::invalid_argument as groups_to_prune does.
PrunePlan plan_pruning(const AnalysedNetwork& source, const std::map<GroupId, at::Tensor>& scores,
                       const PruneOptions& options, const PruningProgress& progress = {});

}  // namespace inn
