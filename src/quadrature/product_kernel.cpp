#include <ATen/ATen.h>

#include <cmath>

#include "inn/core/error.h"
#include "inn/quadrature/covariance_kernel.h"
#include "rules.h"

namespace inn {

ProductKernel::ProductKernel(std::string_view kernel, std::vector<double> length_scales)
    : kernel_(&find_covariance_kernel(kernel)), length_scales_(std::move(length_scales)) {
  require(!length_scales_.empty(), "quadrature",
          "Covariance kernel '{}': one length scale per axis is required but got none.", kernel);
  for (const double length : length_scales_)
    require(length > 0 && std::isfinite(length), "quadrature",
            "Covariance kernel '{}': length scales must be positive and finite but one is {}.", kernel,
            length);
}

at::Tensor ProductKernel::matrix(const at::Tensor& x, const at::Tensor& y) const {
  at::Tensor product;
  for (int64_t axis = 0; axis < dimensions(); ++axis) {
    const auto factor = kernel_->value(x.select(1, axis).unsqueeze(1), y.select(1, axis).unsqueeze(0),
                                       length_scales_[static_cast<size_t>(axis)]);
    product = axis == 0 ? factor : product * factor;
  }
  return product;
}

at::Tensor ProductKernel::diagonal(const at::Tensor& x) const {
  at::Tensor product;
  for (int64_t axis = 0; axis < dimensions(); ++axis) {
    const auto coordinate = x.select(1, axis);
    const auto factor = kernel_->value(coordinate, coordinate, length_scales_[static_cast<size_t>(axis)]);
    product = axis == 0 ? factor : product * factor;
  }
  return product;
}

at::Tensor ProductKernel::mean(const at::Tensor& x) const {
  at::Tensor product;
  for (int64_t axis = 0; axis < dimensions(); ++axis) {
    const auto factor = kernel_->mean(x.select(1, axis), length_scales_[static_cast<size_t>(axis)]);
    product = axis == 0 ? factor : product * factor;
  }
  return product;
}

double ProductKernel::double_mean() const {
  double product = 1;
  for (const double length : length_scales_) product *= kernel_->double_mean(length);
  return product;
}

at::Tensor ProductKernel::checked_points(const at::Tensor& points, std::string_view what) const {
  require(
      points.defined() && (points.scalar_type() == at::kDouble || points.scalar_type() == at::kFloat) &&
          points.numel() > 0 &&
          ((points.dim() == 2 && points.size(1) == dimensions()) || (points.dim() == 1 && dimensions() == 1)),
      "quadrature", "{}: must be float32 or float64 points [n ≥ 1, {}]{}.", what, dimensions(),
      dimensions() == 1 ? " or [n]" : "");
  const auto checked = points.to(at::kCPU, at::kDouble).reshape({-1, dimensions()});
  const double tolerance = rules::same_point(points.scalar_type());
  const double least = checked.min().item<double>(), greatest = checked.max().item<double>();
  require(least >= -tolerance && greatest <= 1 + tolerance, "quadrature",
          "{}: must lie in [0, 1]^{} but their coordinates go from {} to {}.", what, dimensions(), least,
          greatest);
  return checked;
}

}  // namespace inn
