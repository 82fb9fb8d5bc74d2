#pragma once
// Bayesian quadrature: the posterior of an integral given function values at nodes.

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "inn/quadrature/covariance_kernel.h"
#include "inn/quadrature/quadrature.h"

namespace inn {

/// Added to the diagonal of the kernel matrix before factorization, relative to the mean of k(x_i, x_i), like
/// observation noise of that variance. Bounds the weights if nodes are so dense that rounding makes the
/// matrix singular.
constexpr double kernel_jitter = 1e-11;

struct BayesianOptions {
  /// The mean of the functions: 0, or an unknown constant (a flat prior). With the constant the weights sum
  /// to 1, and constants are integrated exactly.
  enum class Mean { zero, constant } mean = Mean::constant;
  double jitter = kernel_jitter;
};

/// The integral over [0,1]^d of a function drawn from a Gaussian process with the kernel k, given its values
/// at nodes.
///
/// With K_ij = k(x_i, x_j), the jitter included, z_i = ∫ k(x_i, y) dy and Z = ∫∫ k, all in float64: weights w
/// = K⁻¹z and posterior variance V = Z − zᵀK⁻¹z; with an unknown constant mean w = K⁻¹(z + 1(1 −
/// 1ᵀK⁻¹z)/(1ᵀK⁻¹1)) and V = Z − zᵀK⁻¹z + (1 − 1ᵀK⁻¹z)²/(1ᵀK⁻¹1). V is that of a kernel of unit scale;
/// `estimate` finds the scale. Differentiable in the nodes. Costs n³/3 multiply-adds and 8n² bytes. O'Hagan,
/// "Bayes-Hermite quadrature", Journal of Statistical Planning and Inference 29, 1991.
class BayesianQuadrature {
 public:
  /// nodes: [n, d], or [n] where d is 1, float32 or float64, distinct, in [0,1]^d, at most 16384. Throws
  /// std::invalid_argument for other nodes, a negative jitter, and if the kernel matrix is not positive
  /// definite.
  BayesianQuadrature(const ProductKernel& kernel, const at::Tensor& nodes, BayesianOptions options = {});

  /// [n, d] float64.
  const at::Tensor& nodes() const { return nodes_; }
  /// [n] float64.
  const at::Tensor& weights() const { return weights_; }
  /// A scalar, at least 0.
  const at::Tensor& variance() const { return variance_; }

  /// Returns the posterior mean of the integral, Σ_i w_i f(x_i): […] for values [n, …], in their dtype.
  at::Tensor mean(const at::Tensor& values) const;
  /// Returns that mean and the posterior's standard deviation √(σ²V): the scale σ² of the kernel is the
  /// maximum-likelihood estimate fᵀK⁻¹f/n, or, with an unknown constant mean, that of the centered f over n −
  /// 1. Throws std::invalid_argument if that requires a second node.
  IntegralEstimate estimate(const at::Tensor& values) const;

 private:
  at::Tensor checked_values(const at::Tensor& values) const;

  BayesianOptions options_;
  at::Tensor nodes_, factor_, weights_, variance_;
};

}  // namespace inn
