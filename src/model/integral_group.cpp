#include "inn/core/error.h"
#include "inn/model/integral_model.h"

namespace inn {
namespace {

/// Beyond this many times its source width a group holds no more detail, only memory.
constexpr int64_t kLargestGrowth = 8;

void check_width(const std::string& name, int64_t width, int64_t source_width) {
  require(width >= 1 && width <= kLargestGrowth * source_width, "model",
          "Group '{}': width must be in [1, {}] but got {}.", name, kLargestGrowth * source_width, width);
}

}  // namespace

IntegralGroup::IntegralGroup(GroupId id, std::string name, int64_t source_width, std::string kernel,
                             std::string quadrature)
    : id_(id),
      name_(std::move(name)),
      source_width_(source_width),
      kernel_(find_kernel(kernel).name),
      quadrature_(find_quadrature(quadrature).name),
      grid_(std::make_shared<UniformGrid>(source_width)) {
  require(find_quadrature(quadrature_).points == Quadrature::Points::any, "model",
          "Quadrature '{}': an integral model needs a rule that takes any points, such as 'trapezoid'.",
          quadrature_);
}

void IntegralGroup::resize(int64_t width) {
  check_width(name_, width, source_width_);
  grid_ = std::make_shared<UniformGrid>(width);
}

void IntegralGroup::set_grid(std::shared_ptr<Grid> grid) {
  require(grid != nullptr, "model", "Group '{}': its grid must not be null.", name_);
  check_width(name_, grid->size(), source_width_);
  grid_ = std::move(grid);
}

void IntegralGroup::set_distribution(SizeDistribution distribution) {
  check_width(name_, distribution.minimum(), source_width_);
  check_width(name_, distribution.maximum(), source_width_);
  distribution_ = std::move(distribution);
}

GroupMaps IntegralGroup::maps() const {
  return interpolation_maps(source_width_, grid_->points(), find_kernel(kernel_),
                            find_quadrature(quadrature_));
}

}  // namespace inn
