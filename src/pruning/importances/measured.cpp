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

/// `score(input, weights)` for every consumer with weights: [width] statistics of what it reads, and the slices of its
/// weights by channel.
template <class Score>
auto by_consumer(Score score) {
  return [score](const ScoredGroup& group) {
    const auto found = group.measured.consumed.find(group.id);
    require(found != group.measured.consumed.end(), "pruning",
            "Group '{}': no layer multiplies an activation of its channels with weights.",
            group.group().name);
    std::vector<at::Tensor> scores;
    for (const auto& [input, weights] : found->second) {
      std::vector<at::Tensor> rows;
      for (const auto& member : weights) rows.push_back(group.rows(member));
      scores.push_back(score(input, at::cat(rows, 1)));
    }
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
      {.name = "wanda",
       .doc = "Σ |w| over the weights that consume the channel, times the root mean square of its activation "
              "there: "
              "the score of Sun et al. (ICLR 2024) for single weights, summed over a channel's",
       .scores = by_consumer([](const ActivationStatistics& input, const at::Tensor& weights) {
         return weights.abs().sum({1}) * input.mean_square.sqrt();
       }),
       .needs = Measured::activations},
      {.name = "fluctuation",
       .doc =
           "Σ w² over the weights that consume the channel, times the variance of its activation there: the "
           "error without it if its mean goes into a bias (FLAP, An et al., AAAI 2024)",
       .scores = by_consumer([](const ActivationStatistics& input, const at::Tensor& weights) {
         return weights.square().sum({1}) * (input.mean_square - input.mean.square()).clamp_min(0);
       }),
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
