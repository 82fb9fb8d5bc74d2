#include "inn/pruning/importance.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <numeric>

#include "importances.h"
#include "inn/core/error.h"
#include "inn/core/named_table.h"
#include "inn/dimension/channel_places.h"
#include "inn/pruning/combination.h"
#include "inn/resampling/rows.h"

namespace inn {
namespace {

/// See ScoredGroup::members: the first choice that gives any.
std::vector<Member> counted_members(const AnalysedNetwork& source, GroupId id, CountedMembers which,
                                    bool parameters_only) {
  const auto& members = source.groups.groups.at(id).members;
  const auto choose = [&](bool readers, bool parameters, bool matrices) {
    std::vector<Member> chosen;
    for (const auto& member : members) {
      const auto& entry = source.network.state[member.state];
      if (is_inexact(entry.tensor) && (readers || member.role == MemberRole::produce) &&
          (!parameters || entry.kind == StateEntry::Kind::parameter) && (!matrices || entry.tensor.dim() > 1))
        chosen.push_back(member);
    }
    return chosen;
  };
  for (const bool readers : {which == CountedMembers::all, true})
    for (const bool parameters : {true, false})
      for (const bool matrices : {true, false})
        if (parameters || !parameters_only)
          if (auto chosen = choose(readers, parameters, matrices); !chosen.empty()) return chosen;
  return {};
}

at::Tensor score_of(const ScoredGroup& group, const Importance& importance) {
  const auto& name = group.group().name;
  const auto scores = importance.scores(group);
  require(!scores.empty(), "pruning", "Group '{}': importance '{}' finds no tensor to score it.", name,
          importance.name);
  std::vector<at::Tensor> rows;
  for (const auto& score : scores) {
    require(score.dim() == 1 && score.size(0) == group.group().width, "pruning",
            "Group '{}': importance '{}' must give {} scores but gave a tensor of {} numbers.", name,
            importance.name, group.group().width, score.numel());
    rows.push_back(score.to(at::TensorOptions(at::kCPU).dtype(at::kDouble)));
  }
  const auto combined = find_combination(group.options.combine).combine(at::stack(rows));
  const auto score = find_score_scale(group.options.normalize.value_or("none")).normalize(combined);
  require(at::isfinite(score).all().item<bool>(), "pruning",
          "Group '{}': the scores of importance '{}' must be finite numbers but one is not.", name,
          importance.name);
  return score;
}

}  // namespace

std::vector<Importance> importance_entries::of_chance() {
  return {{.name = "random",
           .doc = "uniform random numbers, from the seed and the group",
           .scores = [](const ScoredGroup& group) -> std::vector<at::Tensor> {
             auto generator = at::detail::createCPUGenerator(group.options.seed + group.id);
             return {at::rand({group.group().width}, generator, at::TensorOptions(at::kDouble))};
           }}};
}

at::Tensor ScoredGroup::rows(const Member& member, const at::Tensor& tensor) const {
  return member_rows(tensor.detach(), member, group().width).to(at::kDouble);
}

at::Tensor ScoredGroup::rows(const Member& member) const {
  return rows(member, source.network.state[member.state].tensor);
}

const std::vector<Importance>& importances() {
  static const std::vector<Importance> table = [] {
    using namespace importance_entries;
    std::vector<Importance> entries;
    for (auto& family : {of_weights(), of_batch_norms(), of_measurements(), of_chance()})
      entries.insert(entries.end(), family.begin(), family.end());
    return entries;
  }();
  return table;
}

const Importance& find_importance(const std::string& name) {
  return find_named(importances(), name, "pruning", "Importance '{}': no such importance.{}");
}

std::map<GroupId, at::Tensor> importance_scores(const AnalysedNetwork& source,
                                                const std::vector<GroupId>& groups,
                                                const Importance& importance,
                                                const ImportanceOptions& options,
                                                const Measurements& measured) {
  const at::NoGradGuard no_grad;
  require(importance.scores != nullptr, "pruning", "Importance '{}': its function is missing.",
          importance.name);
  const bool parameters_only =
      importance.needs == Measured::gradients || importance.needs == Measured::squared_gradients;
  std::map<GroupId, at::Tensor> scores;
  for (const auto id : groups) {
    const auto members = counted_members(source, id, options.members, parameters_only);
    scores.emplace(id, score_of({source, id, members, measured, options}, importance));
  }
  return scores;
}

std::map<GroupId, at::Tensor> importance_scores(const AnalysedNetwork& source,
                                                const std::vector<GroupId>& groups,
                                                const Importance& importance,
                                                const ImportanceOptions& options) {
  return importance_scores(source, groups, importance, options,
                           measure_groups(source, groups, options.calibration, importance.needs));
}

std::vector<int64_t> most_important(const at::Tensor& scores, int64_t count) {
  require(scores.dim() == 1 && count >= 1 && count <= scores.size(0), "pruning",
          "Importance: count must be in [1, {}] but got {}.", scores.dim() == 1 ? scores.size(0) : 0, count);
  const at::Tensor values = scores.to(at::kDouble).contiguous();
  require(!values.isnan().any().item<bool>(), "pruning",
          "Importance: scores must be numbers but one is NaN.");
  const double* score = values.const_data_ptr<double>();
  std::vector<int64_t> order(static_cast<size_t>(scores.size(0)));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(), [score](int64_t a, int64_t b) { return score[a] > score[b]; });
  order.resize(static_cast<size_t>(count));
  std::sort(order.begin(), order.end());
  return order;
}

}  // namespace inn
