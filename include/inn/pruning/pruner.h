#pragma once
// Pruning in one step or iteratively.

#include <map>
#include <memory>
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

/// Prunes channels by importance, using the current weights in every step.
///
/// Group by group:
///
///     Pruner pruner(source, {.importance = find_importance("l1")});
///     for (const auto id : fraction_groups(source)) pruner(source.groups.groups[id], 0.5);
///     const Network half = pruner.prune();
///
/// or all groups iteratively, with training between the steps:
///
///     Pruner pruner(source, {.widths = {.keep = 0.5, .scope = PruningScope::global}});
///     for (int64_t step = 1; step <= 4; ++step) train(pruner.prune(pruner.plan(step, 4)));
///
/// Train the tensors of `network()`, which are shared with the pruner; training that creates new tensors
/// returns them by `update`. Groups keep their ids and names.
class Pruner {
 public:
  explicit Pruner(AnalysedNetwork source, PrunerOptions options = {});
  /// Shares the source, which is not changed. Throws std::invalid_argument if it is null.
  explicit Pruner(std::shared_ptr<const AnalysedNetwork> source, PrunerOptions options = {});

  /// Selects the channels to keep of the group (by its name): max(1, round(keep·n)) of its source width n,
  /// within the limits of the options. Returns them as ascending indices of its current channels. `prune()`
  /// cuts all selected groups at once. Measurements on data are taken at the first group, and again after
  /// `prune` and `update`. Throws std::invalid_argument for an unknown or pinned group, and for a fraction
  /// outside [0, 1].
  const std::vector<int64_t>& operator()(const Group& group, double keep);
  const std::vector<int64_t>& operator()(const std::string& group, double keep);

  /// Returns which of the current channels to keep in step `step` of `steps`, by options.widths: after it, a
  /// group with final fraction F has 1 − step/steps·(1 − F) of its source channels. Does not cut. Throws
  /// std::invalid_argument unless 1 ≤ step ≤ steps, and as plan_pruning does.
  PrunePlan plan(int64_t step = 1, int64_t steps = 1) const;

  /// Cuts by the plan, or what was selected group by group. Returns the new network, which shares no tensor
  /// with the previous one. Throws std::invalid_argument if no group was selected and no plan is given.
  const Network& prune(const PrunePlan& plan);
  const Network& prune();

  /// Takes the state of `trained`, a network like the current one. Throws std::invalid_argument if a tensor
  /// has another name or other sizes.
  void update(const Network& trained);

  const Network& network() const { return present_->network; }
  const AnalysedNetwork& present() const { return *present_; }
  /// The notes about the cuts so far.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  std::shared_ptr<const AnalysedNetwork> present_;
  std::vector<int64_t> source_widths_;
  PrunerOptions options_;
  PrunePlan chosen_;
  std::optional<Measurements> measured_;
  std::vector<std::string> notes_;
};

}  // namespace inn
