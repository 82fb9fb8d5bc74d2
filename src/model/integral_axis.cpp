#include "inn/model/integral_axis.h"

#include "inn/core/error.h"
#include "inn/weight_function/sample.h"

namespace inn {

IntegralAxis::IntegralAxis(int64_t width, const IntegralAxisOptions& options) {
  require(width >= 1, "model", "Axis '{}': width must be at least 1 but got {}.", options.name, width);
  parts_.push_back(
      {std::make_shared<IntegralGroup>(
           GroupId{0}, options.name, width,
           ConvertOptions{.kernel = options.kernel, .quadrature = options.quadrature, .grid = options.grid}),
       false});
}

IntegralAxis operator*(const IntegralAxis& outer, const IntegralAxis& inner) {
  IntegralAxis product = outer;
  product.parts_.insert(product.parts_.end(), inner.parts_.begin(), inner.parts_.end());
  return product;
}

IntegralAxis IntegralAxis::weighted() const {
  IntegralAxis axis = *this;
  for (auto& part : axis.parts_) part.weighted = true;
  return axis;
}

int64_t IntegralAxis::source_width() const {
  int64_t width = 1;
  for (const auto& part : parts_) width *= part.group->source_width();
  return width;
}

int64_t IntegralAxis::width() const {
  int64_t width = 1;
  for (const auto& part : parts_) width *= part.group->width();
  return width;
}

IntegralGroup& IntegralAxis::single(const char* what) const {
  require(parts_.size() == 1, "model",
          "An axis that is a product of {} factors has no {}; use those of its factors.", parts_.size(),
          what);
  return *parts_.front().group;
}

void IntegralAxis::resize(int64_t width) { single("width").resize(width); }

void IntegralAxis::set_grid(std::shared_ptr<Grid> grid) { single("grid").set_grid(std::move(grid)); }

const Grid& IntegralAxis::grid() const { return single("grid").grid(); }

std::vector<IntegralAxis::Factor> IntegralAxis::factors(MemberRole role) const {
  std::vector<Factor> factors;
  for (const auto& part : parts_) factors.push_back({part.group, part.weighted ? MemberRole::consume : role});
  return factors;
}

std::optional<IntegralAxis> IntegralAxis::after(const IntegralAxis& outer) const {
  if (outer.parts_.size() > parts_.size()) return std::nullopt;
  for (size_t k = 0; k < outer.parts_.size(); ++k)
    if (outer.parts_[k].group != parts_[k].group) return std::nullopt;
  IntegralAxis rest = *this;
  rest.parts_.erase(rest.parts_.begin(), rest.parts_.begin() + static_cast<int64_t>(outer.parts_.size()));
  return rest;
}

at::Tensor sample_axes(const at::Tensor& tensor,
                       std::initializer_list<std::vector<IntegralAxis::Factor>> axes) {
  std::vector<MappedAxis> mapped;
  int64_t axis = 0;
  for (const auto& factors : axes) {
    // The factors are mapped one after the other: those before have their new widths by then.
    int64_t outer = 1, inner = 1;
    for (const auto& factor : factors) inner *= factor.group->source_width();
    for (const auto& [group, role] : factors) {
      inner /= group->source_width();
      const GroupMaps maps = group->maps();
      const AxisMap& map = role == MemberRole::consume ? maps.consume : maps.produce;
      if (!map.is_identity()) mapped.push_back({axis, map, outer, inner});
      outer *= group->width();
    }
    ++axis;
  }
  return mapped.empty() ? tensor : sample_tensor(tensor, mapped);
}

}  // namespace inn
