#include "inn/weight_function/sample.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "inn/core/error.h"

namespace inn {

at::Tensor sample(const at::Tensor& tensor, std::span<const MappedAxis> maps) {
  require(tensor.defined(), "weight_function", "sample: the tensor is undefined.");
  const auto place = [&](const MappedAxis& mapped) {
    return mapped.axis < 0 ? mapped.axis + tensor.dim() : mapped.axis;
  };
  std::vector<const MappedAxis*> remaining;
  for (const auto& mapped : maps) remaining.push_back(&mapped);
  auto result = tensor;
  while (!remaining.empty()) {
    auto best = remaining.begin();
    for (auto candidate = best; candidate != remaining.end(); ++candidate) {
      const bool first_on_its_axis = std::none_of(remaining.begin(), candidate, [&](const auto* other) {
        return place(*other) == place(**candidate);
      });
      const auto& [map, chosen] = std::tie((*candidate)->map, (*best)->map);
      if (first_on_its_axis && map.rows() * chosen.cols() < chosen.rows() * map.cols()) best = candidate;
    }
    result = (*best)->map.apply(result, (*best)->axis, (*best)->outer, (*best)->inner);
    remaining.erase(best);
  }
  return result;
}

}  // namespace inn
