#include "inn/quadrature/integrate.h"

#include <ATen/ATen.h>

#include <cmath>

#include "inn/core/error.h"
#include "inn/quadrature/quadrature.h"

namespace inn {
namespace {

/// Returns the count of dimensions of the box.
size_t check_box(const IntegrateOptions& options) {
  const size_t dimensions = options.lower.size();
  require(
      dimensions >= 1 && options.upper.size() == dimensions, "quadrature",
      "integrate: there must be as many upper bounds as lower ones, at least one, but they are {} and {}.",
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
          "integrate: the function must give one value for each of the {} points but gave {}.",
          points.size(0),
          !values.defined()   ? "nothing"
          : values.dim() == 0 ? "a scalar"
                              : std::to_string(values.size(0)));
  require(values.is_floating_point() || values.is_complex(), "quadrature",
          "integrate: the function must give floating point values but gave {}.",
          at::toString(values.scalar_type()));
  return values * extent.prod().item<double>();
}

/// Returns Σ over all points of the product of their axes' weights with f.
at::Tensor product_rule(const Integrand& f, const Quadrature& rule, const std::vector<at::Tensor>& axes,
                        const IntegrateOptions& options) {
  std::vector<at::Tensor> weights;
  for (const auto& axis : axes) weights.push_back(quadrature_weights(rule, axis));
  auto values = stretched(f, tensor_product(axes), options);
  std::vector<int64_t> rest(values.sizes().begin() + 1, values.sizes().end());
  for (const auto& weight : weights)
    values = at::matmul(weight.to(values.options()), values.reshape({weight.size(0), -1})).contiguous();
  return values.reshape(rest);
}

}  // namespace

at::Tensor integrate(const Integrand& f, const IntegrateOptions& options) {
  const size_t dimensions = check_box(options);
  const auto& rule = find_quadrature(options.rule);
  for (const int64_t count : options.counts)
    require(count >= 1, "quadrature", "integrate: counts of points must be at least 1 but one is {}.", count);
  const bool one_for_all = options.counts.size() == 1;
  if (rule.samples != nullptr) {
    require(one_for_all, "quadrature", "integrate: quadrature '{}' takes one count of samples but got {}.",
            rule.name, options.counts.size());
    const auto d = static_cast<int64_t>(dimensions);
    const auto points = rule.samples(options.counts[0], d, options.seed);
    return stretched(f, points, options).mean(0);
  }
  require(one_for_all || options.counts.size() == dimensions, "quadrature",
          "integrate: there must be 1 or {} counts of points, one an axis, but there are {}.", dimensions,
          options.counts.size());
  std::vector<at::Tensor> axes;
  for (size_t k = 0; k < dimensions; ++k)
    axes.push_back(quadrature_nodes(rule, options.counts[one_for_all ? 0 : k], options.seed));
  return product_rule(f, rule, axes, options);
}

at::Tensor integrate(const Integrand& f, const TensorGrid& grid, const IntegrateOptions& options) {
  const size_t dimensions = check_box(options);
  require(grid.dimensions() == static_cast<int64_t>(dimensions), "quadrature",
          "integrate: the box has {} dimensions but the grid {}.", dimensions, grid.dimensions());
  return product_rule(f, find_quadrature(options.rule), grid.axis_points(), options);
}

}  // namespace inn
