#pragma once
// Pruning in one step or in many.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "inn/dimension/groups.h"
#include "inn/pruning/importance.h"
#include "inn/pruning/pruning.h"
#include "inn/resampling/resized.h"

namespace inn {

struct PrunerOptions {
  Importance importance = find_importance("l2");
  ImportanceOptions scoring = {};
  PruneOptions widths = {};
};

/// Cuts channels of a network by their importance, each time by the weights that it has then.
///
/// Group by group:
///
///     Pruner pruner(source, {.importance = find_importance("l1")});
///     for (const auto id : fraction_groups(source)) pruner(source.groups.groups[id], 0.5);
///     const Network half = pruner.prune();
///
/// or all by one rule, in steps, with training between them:
///
///     Pruner pruner(source, {.widths = {.keep = 0.5, .scope = PruningScope::global}});
///     for (int64_t step = 1; step <= 4; ++step) train(pruner.prune(pruner.plan(step, 4)));
///
/// Training goes on with the tensors of `network()`, which the pruner shares; one that makes tensors of its
/// own hands them back by `update`. Groups keep their ids and names throughout.
class Pruner {
 public:
  explicit Pruner(AnalysedNetwork source, PrunerOptions options = {});

  /// Chooses the channels that the group (by its name) is to keep: max(1, round(keep·n)) of the width n that
  /// it has in the source, under the limits of the options. Returns them, ascending, as indices of its
  /// present channels. `prune()` cuts all groups so chosen at once. What is measured on data is measured at
  /// the first group, and anew after `prune` and `update`. Throws std::invalid_argument for a group that is
  /// unknown or pinned, and for a fraction outside [0, 1].
  const std::vector<int64_t>& operator()(const Group& group, double keep);
  const std::vector<int64_t>& operator()(const std::string& group, double keep);

  /// Returns what step `step` of `steps` is to keep of the present channels, by options.widths: after it a
  /// group that is to keep F in the end has 1 − step/steps·(1 − F) of its source's channels. Cuts nothing.
  /// Throws std::invalid_argument unless 1 ≤ step ≤ steps, and as plan_pruning does.
  PrunePlan plan(int64_t step = 1, int64_t steps = 1) const;

  /// Cuts by the plan, or what was chosen group by group. Returns the network now, which shares no tensor
  /// with the one before.
  const Network& prune(const PrunePlan& plan);
  const Network& prune();

  /// Takes the state of `trained`, a network like the present one. Throws std::invalid_argument where a
  /// tensor has another name or other sizes.
  void update(const Network& trained);

  const Network& network() const { return present_.network; }
  const AnalysedNetwork& present() const { return present_; }
  /// What was said of the cuts so far.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  AnalysedNetwork present_;
  std::vector<int64_t> source_widths_;
  PrunerOptions options_;
  PrunePlan chosen_;
  std::optional<Measurements> measured_;
  std::vector<std::string> notes_;
};

}  // namespace inn
