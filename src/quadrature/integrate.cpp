#include "inn/quadrature/integrate.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "inn/core/error.h"
#include "inn/core/random.h"
#include "inn/quadrature/quadrature.h"
#include "rules.h"

namespace inn {
namespace {

/// Returns the count of dimensions of the box.
size_t check_box(const IntegrateOptions& options) {
  const size_t dimensions = options.lower.size();
  require(dimensions >= 1 && options.upper.size() == dimensions, "quadrature",
          "integrate: lower and upper bounds must have the same number of values, at least one, but have {} "
          "and {}.",
          options.upper.size(), dimensions);
  for (size_t k = 0; k < dimensions; ++k)
    require(std::isfinite(options.lower[k]) && std::isfinite(options.upper[k]), "quadrature",
            "integrate: bounds must be finite but those of axis {} are {} and {}.", k, options.lower[k],
            options.upper[k]);
  return dimensions;
}

/// Returns f at the points of [0,1]^d stretched to the box, times the volume of the box.
at::Tensor stretched(const Integrand& f, const at::Tensor& points, const IntegrateOptions& options) {
  const auto lower = at::tensor(options.lower, at::kDouble), upper = at::tensor(options.upper, at::kDouble);
  const auto extent = upper - lower;
  const auto values = f(lower + extent * points);
  require(values.defined() && values.dim() >= 1 && values.size(0) == points.size(0), "quadrature",
          "integrate: the function must return one value for each of the {} points but returned {}.",
          points.size(0),
          !values.defined()   ? "nothing"
          : values.dim() == 0 ? "a scalar"
                              : std::to_string(values.size(0)));
  require(values.is_floating_point() || values.is_complex(), "quadrature",
          "integrate: the function must return floating point values but returned {}.",
          at::toString(values.scalar_type()));
  return values * extent.prod().item<double>();
}

/// Returns Σ over all points of f times the product of the axes' weights, with one call of f.
at::Tensor sum_at_once(const Integrand& f, const std::vector<at::Tensor>& axes,
                       const std::vector<at::Tensor>& weights, const IntegrateOptions& options) {
  auto values = stretched(f, tensor_product(axes), options);
  std::vector<int64_t> rest(values.sizes().begin() + 1, values.sizes().end());
  for (const auto& weight : weights)
    values = at::matmul(weight.to(values.options()), values.reshape({weight.size(0), -1})).contiguous();
  return values.reshape(rest);
}

/// Returns the same sum in parts: splits the first axis with more than one point.
at::Tensor sum_by_parts(const Integrand& f, const std::vector<at::Tensor>& axes,
                        const std::vector<at::Tensor>& weights, const IntegrateOptions& options) {
  double points = 1;  // may exceed any integer type
  for (const auto& axis : axes) points *= static_cast<double>(axis.size(0));
  if (points <= static_cast<double>(options.points_at_once)) return sum_at_once(f, axes, weights, options);
  const auto cut = std::find_if(axes.begin(), axes.end(), [](const auto& axis) { return axis.size(0) > 1; });
  const auto k = static_cast<size_t>(cut - axes.begin());
  const int64_t size = cut->size(0);
  const double behind = points / static_cast<double>(size);
  const auto step =
      std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(options.points_at_once) / behind));
  auto part = axes, part_weights = weights;
  at::Tensor sum;
  for (int64_t i = 0; i < size; i += step) {
    part[k] = axes[k].slice(0, i, i + step);
    part_weights[k] = weights[k].slice(0, i, i + step);
    const auto added = sum_by_parts(f, part, part_weights, options);
    sum = sum.defined() ? sum + added : added;
  }
  return sum;
}

at::Tensor product_rule(const Integrand& f, const Quadrature& rule, const std::vector<at::Tensor>& axes,
                        const IntegrateOptions& options) {
  require(options.points_at_once >= 1, "quadrature",
          "integrate: points_at_once must be at least 1 but got {}.", options.points_at_once);
  std::vector<at::Tensor> weights;
  for (const auto& axis : axes) weights.push_back(quadrature_weights(rule, axis));
  return sum_by_parts(f, axes, weights, options);
}

/// The number of points of an axis, or of samples.
int64_t count_of(const IntegrateOptions& options, size_t axis) {
  constexpr int64_t kPoints = 100;
  if (options.counts.empty()) return kPoints;
  return options.counts[options.counts.size() == 1 ? 0 : axis];
}

void check_counts(const Quadrature& rule, size_t dimensions, const IntegrateOptions& options) {
  for (const int64_t count : options.counts)
    require(count >= 1, "quadrature", "integrate: counts of points must be at least 1 but one is {}.", count);
  require(!rule.samples || options.counts.size() <= 1, "quadrature",
          "integrate: quadrature '{}' requires a single count of samples but got {}.", rule.name,
          options.counts.size());
  require(options.counts.size() <= 1 || options.counts.size() == dimensions, "quadrature",
          "integrate: expected 1 or {} counts of points (one per axis) but got {}.", dimensions,
          options.counts.size());
  require(rule.samples || options.seed == 0, "quadrature",
          "integrate: quadrature '{}' does not draw samples, so seed must be 0 but got {}.", rule.name,
          options.seed);
}

void refuse_replicas(const IntegrateOptions& options, std::string_view what) {
  require(options.replicas == IntegrateOptions().replicas, "quadrature",
          "integrate: {} uses no replicas, but replicas is {}.", what, options.replicas);
}

/// Returns the rule's own nodes for each axis.
std::vector<at::Tensor> own_axes(const Quadrature& rule, size_t dimensions, const IntegrateOptions& options) {
  std::vector<at::Tensor> axes;
  for (size_t k = 0; k < dimensions; ++k)
    axes.push_back(quadrature_nodes(rule, count_of(options, k), options.seed));
  return axes;
}

std::vector<std::string> estimating_rules() {
  std::vector<std::string> names;
  for (const auto& rule : quadratures())
    if (rule.error != Quadrature::Error::unknown) names.push_back(rule.name);
  return names;
}

}  // namespace

at::Tensor integrate(const Integrand& f, const IntegrateOptions& options) {
  const size_t dimensions = check_box(options);
  const auto rule = find_quadrature(options.rule);
  check_counts(rule, dimensions, options);
  refuse_replicas(options, "integrate");
  if (rule.samples) {
    const auto points = rule.samples(count_of(options, 0), static_cast<int64_t>(dimensions), options.seed);
    return stretched(f, points, options).mean(0);
  }
  return product_rule(f, rule, own_axes(rule, dimensions, options), options);
}

IntegralEstimate integrate_with_error(const Integrand& f, const IntegrateOptions& options) {
  const size_t dimensions = check_box(options);
  const auto rule = find_quadrature(options.rule);
  check_counts(rule, dimensions, options);
  require(rule.error != Quadrature::Error::unknown, "quadrature",
          "integrate: quadrature '{}' has no error estimate; these have: {}.", rule.name,
          fmt::join(estimating_rules(), ", "));
  const auto d = static_cast<int64_t>(dimensions);
  if (rule.error == Quadrature::Error::estimate) {
    refuse_replicas(options, fmt::format("quadrature '{}'", rule.name));
    const auto points = rule.samples ? rule.samples(count_of(options, 0), d, options.seed)
                                     : tensor_product(own_axes(rule, dimensions, options));
    return rule.estimate(points, stretched(f, points, options));
  }
  require(options.replicas >= 2, "quadrature", "integrate: there must be at least 2 replicas but got {}.",
          options.replicas);
  std::vector<at::Tensor> integrals;
  Random seeds(options.seed);
  for (int64_t replica = 0; replica < options.replicas; ++replica) {
    const auto points = rule.samples(count_of(options, 0), d, seeds.next());
    integrals.push_back(stretched(f, points, options).mean(0));
  }
  return rules::sample_mean({}, at::stack(integrals));
}

at::Tensor integrate(const Integrand& f, const TensorGrid& grid, const IntegrateOptions& options) {
  const size_t dimensions = check_box(options);
  require(grid.dimensions() == static_cast<int64_t>(dimensions), "quadrature",
          "integrate: the box has {} dimensions but the grid has {}.", dimensions, grid.dimensions());
  require(options.counts.empty() && options.seed == 0, "quadrature",
          "integrate: the grid determines the points, so counts and seed must not be set.");
  refuse_replicas(options, "integrate");
  return product_rule(f, find_quadrature(options.rule), grid.axis_points(), options);
}

}  // namespace inn
