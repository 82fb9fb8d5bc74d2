// Importance by the scales of batch norms, and which tensors those are.

#include <ATen/ATen.h>

#include <algorithm>
#include <set>

#include "batch_norm_scales.h"
#include "importances.h"
#include "inn/core/error.h"
#include "inn/network/batch_norm.h"

namespace inn {
namespace {

/// The absolute scales of the batch norms on the group.
std::vector<at::Tensor> scale_magnitudes(const ScoredGroup& group) {
  std::vector<at::Tensor> scores;
  for (const auto& member : batch_norm_scales(group.source, group.id))
    scores.push_back(group.rows(member).abs().sum({1}));
  require(!scores.empty(), "pruning",
          "Group '{}': importance 'batch_norm' requires a batch norm with a scale, but there is none.",
          group.group().name);
  return scores;
}

}  // namespace

std::vector<Member> batch_norm_scales(const AnalysedNetwork& source, GroupId group) {
  std::set<size_t> scales;
  for (const auto& call : source.network.calls) {
    const auto norm = batch_norm_call(call);
    if (!norm || !norm->weight.is_value()) continue;
    if (const auto state = source.network.state_of(norm->weight.value())) scales.insert(*state);
  }
  std::vector<Member> members;
  for (const auto& member : source.groups.groups.at(group).members)
    if (scales.contains(member.state)) members.push_back(member);
  return members;
}

namespace importance_entries {

std::vector<Importance> of_batch_norms() {
  return {{.name = "batch_norm",
           .doc = "absolute scale of the channel's batch norms (Liu et al., ICCV 2017)",
           .scores = scale_magnitudes}};
}

}  // namespace importance_entries
}  // namespace inn
