#pragma once
// How the scores of a group's members become one, and how groups are made comparable.

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

namespace inn {

/// A way to make one score a channel of those that the members give.
struct Combination {
  std::string name;  // "mean"
  std::string doc;
  /// Returns [width] for scores [members, width], float64.
  std::function<at::Tensor(const at::Tensor& scores)> combine;
};

/// A way to put a group's scores on a scale that groups share.
struct ScoreScale {
  std::string name;  // "max"
  std::string doc;
  /// Returns [width] for scores [width], float64. Scores by which nothing can be divided stay as they are.
  std::function<at::Tensor(const at::Tensor& scores)> normalize;
};

/// mean, max, sum, product.
const std::vector<Combination>& combinations();
/// none, sum, mean, max, gaussian.
const std::vector<ScoreScale>& score_scales();

/// Return the entry named so. Throw std::invalid_argument with the nearest names.
const Combination& find_combination(const std::string& name);
const ScoreScale& find_score_scale(const std::string& name);

}  // namespace inn
