#pragma once
// Which channels matter.

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

#include "inn/dimension/groups.h"
#include "inn/network/network.h"

namespace inn {

/// A way to score the channels of a group.
struct Importance {
  std::string name;  // "l1"
  std::string doc;
  /// Returns scores [width], float64: the larger, the more it matters. `seed` is for those that draw.
  std::function<at::Tensor(const AnalysedNetwork&, GroupId, uint64_t seed)> score;
};

/// The importances: l1 and l2 (norms of the producing slices of weights, summed over members), random.
const std::vector<Importance>& importances();
/// Throws std::invalid_argument with the nearest names.
const Importance& find_importance(const std::string& name);

/// Returns the indices of the `count` largest scores in ascending order; equal scores: the earlier.
std::vector<int64_t> most_important(const at::Tensor& scores, int64_t count);

}  // namespace inn
