#include <ATen/ops/equal.h>
#include <c10/core/InferenceMode.h>

#include "inn/core/error.h"
#include "inn/model/integral_model.h"

namespace inn {
namespace {

/// Beyond this many times its source width a group holds no more detail, only memory.
constexpr int64_t kLargestGrowth = 8;

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

void IntegralGroup::check_width(int64_t width) const {
  require(width >= 1 && width <= kLargestGrowth * source_width_, "model",
          "Group '{}': width must be in [1, {}] but got {}.", name_, kLargestGrowth * source_width_, width);
}

void IntegralGroup::resize(int64_t width) {
  check_width(width);
  take(find_grid_family(family_).make(width, source_width_), /*is_of_family=*/true);
}

void IntegralGroup::set_grid(std::shared_ptr<Grid> grid) {
  require(grid != nullptr, "model", "Group '{}': its grid must not be null.", name_);
  check_width(grid->size());
  if (const auto* random = dynamic_cast<const RandomGrid*>(grid.get())) {
    check_width(random->distribution().minimum());
    check_width(random->distribution().maximum());
  }
  std::shared_ptr<Grid> own = find_grid_family(family_).make(grid->size(), source_width_);
  const bool is_of_family = grid->kind() == own->kind() && at::equal(grid->points(), own->points());
  // Of equal ones the family's own is taken: nobody else can change it.
  take(is_of_family ? std::move(own) : std::move(grid), is_of_family);
}

void IntegralGroup::take(std::shared_ptr<Grid> grid, bool is_of_family) {
  grid_ = std::move(grid);
  is_of_family_ = is_of_family;
  if (is_of_family_) keep_maps();
  if (follow_) follow_(*this);
}

void IntegralGroup::redraw() {
  grid_->draw();
  check_width(width());
}

void IntegralGroup::follow_grid(std::function<void(const IntegralGroup&)> follow) {
  follow_ = std::move(follow);
  if (follow_) follow_(*this);
}

/// A training run draws the same widths again and again.
void IntegralGroup::keep_maps() {
  constexpr int64_t kKeptBytes = int64_t{8} << 20;
  const auto bytes = [](const GroupMaps& maps) { return maps.produce.nbytes() + maps.consume.nbytes(); };
  if (family_maps_.contains(width())) return;
  auto maps = maps_at(grid_->points());
  int64_t all = bytes(maps);
  if (all > kKeptBytes) return;
  for (const auto& [width, kept] : family_maps_) all += bytes(kept);
  if (all > kKeptBytes) family_maps_.clear();
  family_maps_.emplace(width(), std::move(maps));
}

void IntegralGroup::set_distribution(SizeDistribution distribution) {
  check_width(distribution.minimum());
  check_width(distribution.maximum());
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
