#pragma once
// Covariance kernels on [0,1]^d whose integrals are known in closed form.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace inn {

/// An entry of the table of covariance kernels: k(x, y) in one dimension, its mean ∫ k(x, y) dy and its
/// double mean ∫∫ k(x, y) dx dy over [0,1]. ℓ is the positive length scale.
struct CovarianceKernel {
  std::string name;
  std::string summary;
  /// Elementwise, with x and y float64 and broadcast; differentiable in both.
  at::Tensor (*value)(const at::Tensor& x, const at::Tensor& y, double length_scale) = nullptr;
  at::Tensor (*mean)(const at::Tensor& x, double length_scale) = nullptr;
  double (*double_mean)(double length_scale) = nullptr;
};

/// Returns the table; r = |x − y|, s = √(2ν)/ℓ.
///
/// - rbf: exp(−r²/(2ℓ²)), analytic functions;
/// - matern12: exp(−sr), ν = 1/2, continuous functions; matern32: (1 + sr) exp(−sr), once differentiable;
///   matern52: (1 + sr + s²r²/3) exp(−sr), twice;
/// - brownian: min(x, y)/ℓ, Brownian motion starting at 0.
std::span<const CovarianceKernel> covariance_kernels();

/// Returns the names in the table, in its order.
std::vector<std::string> covariance_kernel_names();

/// Returns the kernel with that name. Throws std::invalid_argument with the nearest names.
const CovarianceKernel& find_covariance_kernel(std::string_view name);

/// The product of one-dimensional kernels over d axes: k(x, y) = Π_a k_a(x_a, y_a), a kernel on [0,1]^d. Its
/// means are the products of the axes' means.
class ProductKernel {
 public:
  /// One length scale per axis. Throws std::invalid_argument for an unknown kernel, zero axes, and length
  /// scales that are not positive and finite.
  ProductKernel(std::string_view kernel, std::vector<double> length_scales);

  int64_t dimensions() const { return static_cast<int64_t>(length_scales_.size()); }
  const std::string& name() const { return kernel_->name; }
  const std::vector<double>& length_scales() const { return length_scales_; }

  /// Returns k(x_i, y_j): [n, m] for x [n, d] and y [m, d], float64. Differentiable in both.
  at::Tensor matrix(const at::Tensor& x, const at::Tensor& y) const;
  /// Returns k(x_i, x_i): [n].
  at::Tensor diagonal(const at::Tensor& x) const;
  /// Returns ∫ k(x_i, y) dy over [0,1]^d: [n]. Differentiable.
  at::Tensor mean(const at::Tensor& x) const;
  /// Returns ∫∫ k(x, y) dx dy: the variance of the integral of a function drawn from the kernel.
  double double_mean() const;

  /// Returns the points, [n, d], or [n] if d is 1, as [n, d] float64 on the CPU. Differentiable. Throws
  /// std::invalid_argument naming `what` for other shapes and dtypes, zero points, and points outside [0,1]^d
  /// by more than rounding.
  at::Tensor checked_points(const at::Tensor& points, std::string_view what) const;

 private:
  const CovarianceKernel* kernel_;
  std::vector<double> length_scales_;
};

}  // namespace inn
