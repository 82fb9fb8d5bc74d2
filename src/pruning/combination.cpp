#include "inn/pruning/combination.h"

#include <ATen/ATen.h>

#include "inn/core/named_table.h"

namespace inn {
namespace {

/// scores/divisor, or the scores where the divisor is 0.
at::Tensor divided(const at::Tensor& scores, const at::Tensor& divisor) {
  return divisor.item<double>() > 0 ? scores / divisor : scores;
}

}  // namespace

const std::vector<Combination>& combinations() {
  static const std::vector<Combination> table{
      {"mean", "the mean over the members", [](const at::Tensor& scores) { return scores.mean(0); }},
      {"max", "the maximum over the members", [](const at::Tensor& scores) { return scores.amax(0); }},
      {"sum", "the sum over the members", [](const at::Tensor& scores) { return scores.sum(0); }},
      {"product", "the product over the members", [](const at::Tensor& scores) { return scores.prod(0); }},
  };
  return table;
}

const std::vector<ScoreScale>& score_scales() {
  static const std::vector<ScoreScale> table{
      {"none", "unchanged", [](const at::Tensor& scores) { return scores; }},
      {"sum", "divided by the sum of their magnitudes",
       [](const at::Tensor& scores) { return divided(scores, scores.abs().sum()); }},
      {"mean", "divided by the mean of their magnitudes",
       [](const at::Tensor& scores) { return divided(scores, scores.abs().mean()); }},
      {"max", "divided by the maximum magnitude",
       [](const at::Tensor& scores) { return divided(scores, scores.abs().max()); }},
      {"gaussian", "shifted and scaled to mean 0 and variance 1",
       [](const at::Tensor& scores) {
         const auto centred = scores - scores.mean();
         return divided(centred, centred.square().mean().sqrt());
       }},
  };
  return table;
}

const Combination& find_combination(const std::string& name) {
  return find_named(combinations(), name, "pruning", "Combination '{}': no such combination.{}");
}
const ScoreScale& find_score_scale(const std::string& name) {
  return find_named(score_scales(), name, "pruning",
                    "Normalization of scores '{}': no such normalization.{}");
}

}  // namespace inn
