#pragma once
// Combining the scores of a group's members, and normalizing scores across groups.

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

namespace inn {

/// A reduction of the members' scores to one score per channel.
struct Combination {
  std::string name;  // "mean"
  std::string doc;
  /// Returns [width] for scores [members, width], float64.
  std::function<at::Tensor(const at::Tensor& scores)> combine;
};

/// A normalization of scores that makes groups comparable.
struct ScoreScale {
  std::string name;  // "max"
  std::string doc;
  /// Returns [width] for scores [width], float64. Unchanged if the divisor would be 0.
  std::function<at::Tensor(const at::Tensor& scores)> normalize;
};

/// mean, max, sum, product.
const std::vector<Combination>& combinations();
/// none, sum, mean, max, gaussian.
const std::vector<ScoreScale>& score_scales();

/// Return the entry with that name. Throw std::invalid_argument with the nearest names.
const Combination& find_combination(const std::string& name);
const ScoreScale& find_score_scale(const std::string& name);

}  // namespace inn
