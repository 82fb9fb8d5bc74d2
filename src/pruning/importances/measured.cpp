// Importances that are measured on data.

#include <ATen/ATen.h>

#include "importances.h"
#include "inn/core/error.h"

namespace inn::importance_entries {
namespace {

/// `score(statistics)` for every call that produces the group.
template <class Score>
auto by_output(Score score) {
  return [score](const ScoredGroup& group) {
    std::vector<at::Tensor> scores;
    if (const auto found = group.measured.activations.find(group.id);
        found != group.measured.activations.end())
      for (const auto& statistics : found->second) scores.push_back(score(statistics));
    require(!scores.empty(), "pruning",
            "Group '{}': no activation that depends on the network's inputs has its channels.",
            group.group().name);
    return scores;
  };
}

std::vector<at::Tensor> taylor_scores(const ScoredGroup& group) {
  std::vector<at::Tensor> scores;
  for (const auto& member : group.members)
    scores.push_back(
        (group.rows(member) * group.rows(member, group.measured.gradients.at(member.state))).sum({1}).abs());
  return scores;
}

std::vector<at::Tensor> hessian_scores(const ScoredGroup& group) {
  std::vector<at::Tensor> scores;
  for (const auto& member : group.members)
    scores.push_back(
        (group.rows(member).square() * group.rows(member, group.measured.squared_gradients.at(member.state)))
            .sum({1}));
  return scores;
}

}  // namespace

std::vector<Importance> of_measurements() {
  return {
      {.name = "activation",
       .doc = "mean absolute value of the channel's activation on calibration data",
       .scores = by_output([](const ActivationStatistics& statistics) { return statistics.mean_magnitude; }),
       .needs = Measured::activations},
      {.name = "activation_rms",
       .doc = "root mean square of the channel's activation on calibration data",
       .scores =
           by_output([](const ActivationStatistics& statistics) { return statistics.mean_square.sqrt(); }),
       .needs = Measured::activations},
      {.name = "taylor",
       .doc =
           "|Σ w·dL/dw| over the weights that produce the channel, L the mean loss on calibration data: the "
           "first-order change of L without it (Molchanov et al., CVPR 2019)",
       .scores = taylor_scores,
       .needs = Measured::gradients},
      {.name = "hessian",
       .doc = "Σ w²·h over the weights that produce the channel; h, the diagonal of the empirical Fisher "
              "matrix (the mean over samples of squared gradients), approximates that of the Hessian",
       .scores = hessian_scores,
       .needs = Measured::squared_gradients},
  };
}

}  // namespace inn::importance_entries
