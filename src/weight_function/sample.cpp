#include "inn/weight_function/sample.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "inn/core/error.h"

namespace inn {

at::Tensor sample_tensor(const at::Tensor& tensor, std::span<const MappedAxis> maps) {
  require(tensor.defined(), "weight_function", "sample_tensor: the tensor is undefined.");
  const auto place = [&](const MappedAxis& mapped) {
    return mapped.axis < 0 ? mapped.axis + tensor.dim() : mapped.axis;
  };
  std::vector<const MappedAxis*> remaining;
  for (const auto& mapped : maps) remaining.push_back(&mapped);
  /// Takes the map that shrinks its axis the most, of those that are the next on their axis.
  const auto take = [&] {
    auto best = remaining.begin();
    for (auto candidate = best; candidate != remaining.end(); ++candidate) {
      const bool first_on_its_axis = std::none_of(remaining.begin(), candidate, [&](const auto* other) {
        return place(*other) == place(**candidate);
      });
      const auto& [map, chosen] = std::tie((*candidate)->map, (*best)->map);
      if (first_on_its_axis && map.rows() * chosen.cols() < chosen.rows() * map.cols()) best = candidate;
    }
    const MappedAxis* taken = *best;
    remaining.erase(best);
    return taken;
  };
  auto result = tensor;
  while (remaining.size() >= 2) {
    const auto *first = take(), *second = take();
    result = apply_both(result, *second, *first);
  }
  if (!remaining.empty()) {
    const auto& last = *remaining.front();
    result = last.map.apply(result, last.axis, last.outer, last.inner);
  }
  return result;
}

}  // namespace inn
