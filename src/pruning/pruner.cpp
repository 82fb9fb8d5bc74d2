#include "inn/pruning/pruner.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include "inn/core/error.h"
#include "inn/dimension/fraction_groups.h"

namespace inn {
namespace {

/// The glob that matches this name alone.
std::string glob_of(const std::string& name) {
  std::string glob;
  for (const char letter : name) {
    if (std::string_view("*?[]\\").find(letter) != std::string_view::npos) glob += '\\';
    glob += letter;
  }
  return glob;
}

}  // namespace

Pruner::Pruner(AnalysedNetwork source, PrunerOptions options)
    : Pruner(std::make_shared<const AnalysedNetwork>(std::move(source)), std::move(options)) {}

Pruner::Pruner(std::shared_ptr<const AnalysedNetwork> source, PrunerOptions options)
    : present_(std::move(source)), options_(std::move(options)) {
  require(present_ != nullptr, "pruning", "Pruner: its source must not be null.");
  for (const auto& group : present_->groups.groups) source_widths_.push_back(group.width);
  // Of the source: in a later step another factor of a product may be the widest.
  if (!options_.widths.unnamed) options_.widths.unnamed = fraction_groups(*present_);
}

const std::vector<int64_t>& Pruner::operator()(const Group& group, double keep) {
  return (*this)(group.name, keep);
}

const std::vector<int64_t>& Pruner::operator()(const std::string& group, double keep) {
  const GroupId id = present_->groups.find(group);
  const PruneOptions alone{.keep_of = {{glob_of(group), keep}}, .limits = options_.widths.limits};
  groups_to_prune(*present_, alone);
  if (!measured_)
    measured_ = measure_groups(*present_, present_->groups.select({}), options_.scoring.calibration,
                               options_.importance.needs);
  const auto scores = importance_scores(*present_, {id}, options_.importance, options_.scoring, *measured_);
  PrunePlan plan = plan_pruning(*present_, scores, alone, {1, source_widths_});
  chosen_.notes.insert(chosen_.notes.end(), plan.notes.begin(), plan.notes.end());
  return chosen_.kept.insert_or_assign(id, std::move(plan.kept.at(id))).first->second;
}

PrunePlan Pruner::plan(int64_t step, int64_t steps) const {
  require(step >= 1 && step <= steps, "pruning", "Pruner: the step must be in [1, {}] but got {}.", steps,
          step);
  const auto ids = groups_to_prune(*present_, options_.widths);
  ImportanceOptions scoring = options_.scoring;
  if (options_.widths.scope == PruningScope::global && !scoring.normalize) scoring.normalize = "mean";
  const double share = static_cast<double>(step) / static_cast<double>(steps);
  return plan_pruning(*present_, importance_scores(*present_, ids, options_.importance, scoring),
                      options_.widths, {share, source_widths_});
}

const Network& Pruner::prune(const PrunePlan& plan) {
  present_ =
      std::make_shared<const AnalysedNetwork>(resample_with_groups(*present_, plan.maps(present_->groups)));
  notes_.insert(notes_.end(), plan.notes.begin(), plan.notes.end());
  chosen_ = {};
  measured_.reset();
  return present_->network;
}

const Network& Pruner::prune() {
  require(!chosen_.kept.empty(), "pruning",
          "Pruner: no channels were selected. Select them group by group, pruner(group, keep), or by a plan: "
          "pruner.prune(pruner.plan()).");
  return prune(PrunePlan(chosen_));
}

void Pruner::update(const Network& trained) {
  const auto& state = present_->network.state;
  require(trained.state.size() == state.size(), "pruning",
          "Pruner: the trained network must have {} tensors but has {}.", state.size(), trained.state.size());
  for (size_t s = 0; s < state.size(); ++s)
    require(
        trained.state[s].name == state[s].name && trained.state[s].tensor.sizes() == state[s].tensor.sizes(),
        "pruning", "Pruner: tensor {} must be '{}' of sizes [{}] but is '{}' of sizes [{}].", s,
        state[s].name, fmt::join(state[s].tensor.sizes(), ", "), trained.state[s].name,
        fmt::join(trained.state[s].tensor.sizes(), ", "));
  auto updated = std::make_shared<AnalysedNetwork>(*present_);  // others may share the one before
  for (size_t s = 0; s < state.size(); ++s) updated->network.state[s].tensor = trained.state[s].tensor;
  present_ = std::move(updated);
  measured_.reset();
}

}  // namespace inn
