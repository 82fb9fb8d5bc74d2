// Importance by the scales of batch norms, and which tensors those are.

#include <ATen/ATen.h>

#include <algorithm>
#include <set>

#include "batch_norm_scales.h"
#include "importances.h"
#include "inn/core/error.h"

namespace inn {
namespace {

bool is_batch_norm(const Call& call) {
  static const std::set<std::string> names{"aten::batch_norm",
                                           "aten::native_batch_norm",
                                           "aten::_native_batch_norm_legit",
                                           "aten::_native_batch_norm_legit_no_training",
                                           "aten::cudnn_batch_norm",
                                           "aten::miopen_batch_norm"};
  return names.contains(call.op);
}

/// The absolute scales of the batch norms on the group.
std::vector<at::Tensor> scale_magnitudes(const ScoredGroup& group) {
  std::vector<at::Tensor> scores;
  for (const auto& member : batch_norm_scales(group.source, group.id))
    scores.push_back(group.rows(member).abs().sum({1}));
  require(!scores.empty(), "resampling",
          "Group '{}': importance 'batch_norm' requires a batch norm with a scale, but there is none.",
          group.group().name);
  return scores;
}

}  // namespace

std::vector<Member> batch_norm_scales(const AnalysedNetwork& source, GroupId group) {
  constexpr size_t kWeight = 1;  // of every schema of a batch norm
  std::set<size_t> scales;
  for (const auto& call : source.network.calls) {
    if (!is_batch_norm(call) || !call.arguments[kWeight].is_value()) continue;
    if (const auto state = source.network.state_of(call.arguments[kWeight].value())) scales.insert(*state);
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
