// Importances that only the weights give.

#include <ATen/ATen.h>

#include "importances.h"
#include "inn/core/error.h"
#include "inn/ordering/path_cost.h"

namespace inn::importance_entries {
namespace {

/// Scores each member by itself: `score(rows, options)` for its rows [width, k].
template <class Score>
auto by_member(Score score) {
  return [score](const ScoredGroup& group) {
    std::vector<at::Tensor> scores;
    for (const auto& member : group.members) scores.push_back(score(group.rows(member), group.options));
    return scores;
  };
}

at::Tensor norm_of_rows(const at::Tensor& rows, double p) {
  require(p > 0, "pruning", "Importance 'lp': p must be positive but got {}.", p);
  return rows.norm(p, {1});
}

/// s_c / Σ s_d over the d that stand not before c when sorted by s, the squared norms.
at::Tensor lamp_scores(const at::Tensor& rows) {
  const auto [sorted, order] = rows.square().sum({1}).sort(/*stable=*/true, 0, /*descending=*/false);
  const auto rest = sorted.flip({0}).cumsum(0).flip({0});
  const auto scores = at::where(rest > 0, sorted / rest, at::zeros_like(sorted));
  return at::zeros_like(scores).scatter(0, order, scores);
}

}  // namespace

std::vector<Importance> of_weights() {
  return {
      {.name = "l1",
       .doc = "sum of the absolute weights that produce the channel",
       .scores = by_member([](const at::Tensor& rows, const auto&) { return norm_of_rows(rows, 1); })},
      {.name = "l2",
       .doc = "root of the sum of the squared weights that produce the channel",
       .scores = by_member([](const at::Tensor& rows, const auto&) { return norm_of_rows(rows, 2); })},
      {.name = "lp",
       .doc = "(Σ |w|^p)^(1/p) over the weights that produce the channel",
       .scores = by_member([](const at::Tensor& rows, const ImportanceOptions& options) {
         return norm_of_rows(rows, options.p);
       })},
      {.name = "lamp",
       .doc = "squared norm divided by the sum over all channels whose norm is at least as large (Lee et "
              "al., ICLR 2021)",
       .scores = by_member([](const at::Tensor& rows, const auto&) { return lamp_scores(rows); })},
      {.name = "fpgm",
       .doc = "sum of the distances to the other channels' weights, smallest near their geometric median (He "
              "et al., CVPR 2019)",
       .scores = by_member([](const at::Tensor& rows, const auto&) { return distance_sums(rows); })},
  };
}

}  // namespace inn::importance_entries
