#include "checked_widths.h"

#include <ATen/core/Tensor.h>

#include "inn/core/error.h"

namespace inn {

c10::ScalarType weight_type(const Network& network) {
  for (const auto& entry : network.state)
    if (entry.tensor.scalar_type() == at::kDouble) return at::kDouble;
  return at::kFloat;
}

void check_widths(const AnalysedNetwork& source, const std::map<GroupId, int64_t>& widths) {
  for (const auto& [id, width] : widths) {
    const auto& group = source.groups.groups.at(id);
    if (width == group.width) continue;
    require(!group.pinned, "data_quadrature", "Group '{}': cannot be resized from width {}: {}.", group.name,
            group.width, group.pinned.value_or(""));
    require(width >= 1 && width <= group.width, "data_quadrature",
            "Group '{}': the number of nodes must be in [1, {}] but got {}.", group.name, group.width, width);
  }
}

}  // namespace inn
