#include <ATen/ops/equal.h>
#include <c10/core/InferenceMode.h>

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

/// The weight function is the weights of the network divided by those of the rule, which must therefore be no
/// less than this part of 1/width: smaller ones, and negative ones, would make it jagged.
constexpr double kLeastWeight = 0.05;

void check_weights(const Quadrature& rule, int64_t width) {
  require(rule.points == Quadrature::Points::any, "model",
          "Quadrature '{}': an integral model requires a rule for arbitrary points, such as 'trapezoid'.",
          rule.name);
  if (rule.positive) return;
  const double least = quadrature_weights(rule, uniform_points(width)).min().item<double>();
  require(least * static_cast<double>(width) >= kLeastWeight, "model",
          "Quadrature '{}': an integral model divides by its weights for {} uniform points, so they must be "
          "at least {}/{} but the least is {}.",
          rule.name, width, kLeastWeight, width, least);
}

}  // namespace

Quadrature quadrature_of(const ConvertOptions& options) {
  const GridFamily& grids = find_grid_family(options.grid);
  return find_quadrature(options.quadrature.empty() ? grids.quadrature : options.quadrature);
}

IntegralGroup::IntegralGroup(GroupId id, std::string name, int64_t source_width,
                             const ConvertOptions& options)
    : id_(id),
      name_(std::move(name)),
      source_width_(source_width),
      kernel_(find_kernel(options.kernel).name),
      quadrature_(quadrature_of(options).name),
      family_(find_grid_family(options.grid).name),
      grid_(std::make_shared<UniformGrid>(source_width)) {
  check_weights(find_quadrature(quadrature_), source_width);
}

void IntegralGroup::resize(int64_t width) {
  check_width(name_, width, source_width_);
  grid_ = find_grid_family(family_).make(width, source_width_);
  is_of_family_ = true;
  keep_maps();
}

void IntegralGroup::set_grid(std::shared_ptr<Grid> grid) {
  require(grid != nullptr, "model", "Group '{}': its grid must not be null.", name_);
  check_width(name_, grid->size(), source_width_);
  grid_ = std::move(grid);
  const auto own = find_grid_family(family_).make(width(), source_width_);
  is_of_family_ = grid_->kind() == own->kind() && at::equal(grid_->points(), own->points());
  if (is_of_family_) keep_maps();
}

/// A training run draws the same widths again and again. Maps without taps are dense, and too large to keep.
void IntegralGroup::keep_maps() {
  constexpr size_t kKeptWidths = 64;
  if (find_kernel(kernel_).taps == 0 || family_maps_.contains(width())) return;
  if (family_maps_.size() == kKeptWidths) family_maps_.clear();
  family_maps_.emplace(width(), maps_at(grid_->points()));
}

void IntegralGroup::set_distribution(SizeDistribution distribution) {
  check_width(name_, distribution.minimum(), source_width_);
  check_width(name_, distribution.maximum(), source_width_);
  distribution_ = std::move(distribution);
}

GroupMaps IntegralGroup::maps() const {
  const auto known = is_of_family_ ? family_maps_.find(width()) : family_maps_.end();
  return known != family_maps_.end() ? known->second : maps_at(grid_->points());
}

GroupMaps IntegralGroup::maps_at(const at::Tensor& points) const {
  // What is kept serves training too, whoever asked for it first.
  const c10::InferenceMode usable_everywhere(false);
  return interpolation_maps(source_width_, points, find_kernel(kernel_), find_quadrature(quadrature_));
}

}  // namespace inn
