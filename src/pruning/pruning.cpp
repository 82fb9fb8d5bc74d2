#include "inn/pruning/pruning.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "inn/core/error.h"
#include "inn/dimension/fraction_groups.h"
#include "inn/dimension/structure.h"
#include "inn/pruning/importance.h"

namespace inn {
namespace {

void check_kept_fraction(double keep) {
  require(keep >= 0 && keep <= 1, "pruning", "Pruning: the fraction to keep must be in [0, 1] but got {}.",
          keep);
}

/// A group on its way to a width.
struct Cut {
  GroupId id;
  int64_t source_width;
  double keep;               // in the end
  std::vector<double> best;  // scores, descending
  int64_t least;
  int64_t chosen = 0;
  bool emptied = false;  // its scores alone would leave nothing
};

/// What is kept of `keep` where only `share` of the cut is made: `keep` itself at the end.
double fraction_at(double share, double keep) { return share == 1 ? keep : 1 - share * (1 - keep); }

/// Groups under one threshold.
class Pool {
 public:
  void add(Cut* cut) { cuts_.push_back(cut); }

  /// Chooses how many channels each group keeps.
  void choose(double share) {
    int64_t all = 0;
    for (const auto* cut : cuts_) all += cut->source_width;
    const double fraction = fraction_at(share, cuts_.front()->keep);
    const auto wanted = std::llround(fraction * static_cast<double>(all));
    for (auto* cut : cuts_) cut->chosen = 0;
    fill(wanted);
    for (auto* cut : cuts_) cut->emptied = cut->chosen == 0;
    int64_t taken = 0;
    for (auto* cut : cuts_) taken += cut->chosen = cut->least;
    fill(wanted - taken);
  }

 private:
  /// Adds the `count` best of the channels that are not chosen yet.
  void fill(int64_t count) {
    struct Candidate {
      double score;
      Cut* cut;
    };
    std::vector<Candidate> candidates;
    for (auto* cut : cuts_)
      for (auto k = static_cast<size_t>(cut->chosen); k < cut->best.size(); ++k)
        candidates.push_back({cut->best[k], cut});
    std::stable_sort(candidates.begin(), candidates.end(),
                     [](const Candidate& a, const Candidate& b) { return a.score > b.score; });
    const auto end = std::min(static_cast<int64_t>(candidates.size()), std::max<int64_t>(count, 0));
    for (int64_t k = 0; k < end; ++k) ++candidates[static_cast<size_t>(k)].cut->chosen;
  }

  std::vector<Cut*> cuts_;
};

std::vector<double> in_descending_order(const at::Tensor& scores) {
  const at::Tensor values = scores.to(at::kDouble).contiguous();
  std::vector<double> best(values.const_data_ptr<double>(), values.const_data_ptr<double>() + values.numel());
  std::sort(best.begin(), best.end(), std::greater<>());
  return best;
}

/// The key of the channels that a group is compared with.
std::string pool_of(const AnalysedNetwork& source, GroupId id, double keep, PruningScope scope) {
  switch (scope) {
    case PruningScope::uniform:
      return fmt::format("{}", id);
    case PruningScope::global:
      return fmt::format("{}", keep);
    default:
      return fmt::format("{} {}", keep, structure_of(source, id));
  }
}

/// Makes a plan of the widths that were chosen.
class PlanMaker {
 public:
  PlanMaker(const AnalysedNetwork& source, const std::map<GroupId, at::Tensor>& scores,
            const PruneOptions& options, const PruningProgress& progress)
      : source_(source), scores_(scores), options_(options), progress_(progress) {}

  PrunePlan make() {
    const auto fractions = kept_fractions(source_, options_);
    std::vector<Cut> cuts;
    for (const auto& [id, score] : scores_) {
      const auto& group = source_.groups.groups.at(id);
      require(score.dim() == 1 && score.size(0) == group.width, "pruning",
              "Group '{}': expected {} scores but got {}.", group.name, group.width, score.numel());
      if (const auto fixed = options_.widths.find(group.name); fixed != options_.widths.end()) {
        keep(id, exact_width(id, fixed->second));
      } else if (const auto fraction = fractions.find(id); fraction != fractions.end()) {
        const int64_t width = source_width(id);
        cuts.push_back({.id = id,
                        .source_width = width,
                        .keep = fraction->second,
                        .best = in_descending_order(score),
                        .least = std::min(least_width(width, options_.limits), group.width)});
      }
    }
    choose(cuts);
    for (const auto& cut : cuts) finish(cut);
    return std::move(plan_);
  }

 private:
  int64_t source_width(GroupId id) const {
    return progress_.source_widths.empty() ? source_.groups.groups[id].width : progress_.source_widths.at(id);
  }

  int64_t exact_width(GroupId id, int64_t width) const {
    const auto cut = static_cast<double>(source_width(id) - width);
    return std::min<int64_t>(source_width(id) - std::llround(progress_.share * cut),
                             source_.groups.groups[id].width);
  }

  void choose(std::vector<Cut>& cuts) const {
    std::map<std::string, Pool> pools;
    for (auto& cut : cuts) pools[pool_of(source_, cut.id, cut.keep, options_.scope)].add(&cut);
    for (auto& [key, pool] : pools) pool.choose(progress_.share);
  }

  void finish(const Cut& cut) {
    const auto& group = source_.groups.groups[cut.id];
    const int64_t width = std::min(limited_width(cut.chosen, cut.source_width, options_.limits), group.width);
    keep(cut.id, width);
    if (!cut.emptied) return;
    plan_.notes.push_back(
        options_.scope == PruningScope::uniform
            ? fmt::format("Group '{}': keeping {} of {} channels would leave none; it keeps {}.", group.name,
                          fraction_at(progress_.share, cut.keep), cut.source_width, width)
            : fmt::format("Group '{}': none of its {} channels reaches the threshold; it keeps {}.",
                          group.name, group.width, width));
  }

  void keep(GroupId id, int64_t width) { plan_.kept.emplace(id, most_important(scores_.at(id), width)); }

  const AnalysedNetwork& source_;
  const std::map<GroupId, at::Tensor>& scores_;
  const PruneOptions& options_;
  const PruningProgress& progress_;
  PrunePlan plan_;
};

}  // namespace

std::map<GroupId, GroupMaps> PrunePlan::maps(const Groups& groups) const {
  std::map<GroupId, GroupMaps> maps;
  for (const auto& [id, indices] : kept)
    maps.emplace(id, selection_maps(groups.groups.at(id).width, indices));
  return maps;
}

std::map<GroupId, double> kept_fractions(const AnalysedNetwork& source, const PruneOptions& options) {
  const Groups& groups = source.groups;
  std::map<GroupId, double> fractions;
  if (options.keep) {
    const auto ids = !options.groups.empty() ? groups.select(options.groups)
                     : options.unnamed       ? *options.unnamed
                                             : fraction_groups(source);
    for (const auto id : ids) fractions[id] = *options.keep;
  }
  for (const auto& [pattern, keep] : options.keep_of)
    for (const auto id : groups.select({pattern})) fractions[id] = keep;
  for (const auto& pattern : options.exclude)
    for (const auto id : groups.select({pattern})) fractions.erase(id);
  return fractions;
}

std::vector<GroupId> groups_to_prune(const AnalysedNetwork& source, const PruneOptions& options) {
  const Groups& groups = source.groups;
  check_limits(options.limits);
  require(options.keep || !options.keep_of.empty() || !options.widths.empty(), "pruning",
          "Pruning: a fraction or a width is required but none is given.");
  if (options.keep) check_kept_fraction(*options.keep);
  for (const auto& [pattern, keep] : options.keep_of) check_kept_fraction(keep);
  std::set<GroupId> ids;
  for (const auto& [id, keep] : kept_fractions(source, options)) ids.insert(id);
  for (const auto& [name, width] : options.widths) {
    const GroupId id = groups.find(name);
    const auto& group = groups.groups[id];
    if (group.pinned)
      raise("pruning", "Group '{}': cannot be resized from width {}: {}.", name, group.width, *group.pinned);
    require(width >= 1 && width <= group.width, "pruning",
            "Group '{}': the width must be in [1, {}] for channel selection but got {}.", name, group.width,
            width);
    ids.insert(id);
  }
  return {ids.begin(), ids.end()};
}

PrunePlan plan_pruning(const AnalysedNetwork& source, const std::map<GroupId, at::Tensor>& scores,
                       const PruneOptions& options, const PruningProgress& progress) {
  require(progress.share >= 0 && progress.share <= 1, "pruning",
          "Pruning: the fraction of the cut must be in [0, 1] but got {}.", progress.share);
  groups_to_prune(source, options);
  return PlanMaker(source, scores, options, progress).make();
}

}  // namespace inn
