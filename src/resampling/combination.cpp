#include "inn/resampling/combination.h"

#include <ATen/ATen.h>

#include "inn/core/error.h"

namespace inn {
namespace {

/// scores/divisor, or the scores where the divisor is 0.
at::Tensor divided(const at::Tensor& scores, const at::Tensor& divisor) {
  return divisor.item<double>() > 0 ? scores / divisor : scores;
}

template <class Entry>
const Entry& named(const std::vector<Entry>& table, const char* kind, const std::string& name) {
  std::vector<std::string> names;
  for (const auto& entry : table) {
    if (entry.name == name) return entry;
    names.push_back(entry.name);
  }
  raise("resampling", "{} '{}': there is no such way.{}", kind, name, nearest_names(name, names));
}

}  // namespace

const std::vector<Combination>& combinations() {
  static const std::vector<Combination> table{
      {"mean", "the mean over the members", [](const at::Tensor& scores) { return scores.mean(0); }},
      {"max", "the greatest of the members", [](const at::Tensor& scores) { return scores.amax(0); }},
      {"sum", "the sum over the members", [](const at::Tensor& scores) { return scores.sum(0); }},
      {"product", "the product over the members", [](const at::Tensor& scores) { return scores.prod(0); }},
  };
  return table;
}

const std::vector<ScoreScale>& score_scales() {
  static const std::vector<ScoreScale> table{
      {"none", "as they are", [](const at::Tensor& scores) { return scores; }},
      {"sum", "divided by the sum of their magnitudes",
       [](const at::Tensor& scores) { return divided(scores, scores.abs().sum()); }},
      {"mean", "divided by the mean of their magnitudes",
       [](const at::Tensor& scores) { return divided(scores, scores.abs().mean()); }},
      {"max", "divided by the greatest magnitude",
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
  return named(combinations(), "Combination", name);
}
const ScoreScale& find_score_scale(const std::string& name) {
  return named(score_scales(), "Normalization of scores", name);
}

}  // namespace inn
