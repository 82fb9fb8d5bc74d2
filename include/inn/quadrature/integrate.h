#pragma once
// Integrals over boxes in d dimensions.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "inn/grid/tensor_grid.h"
#include "inn/quadrature/quadrature.h"

namespace inn {

/// A function of d coordinates: [N, d] float64 to [N], or to [N, …] for several functions at once. The value of
/// a point must not depend on the other points.
using Integrand = std::function<at::Tensor(const at::Tensor& points)>;

struct IntegrateOptions {
  /// The box: one bound per axis. An upper bound below the lower one changes the sign, as usual.
  std::vector<double> lower = {0};
  std::vector<double> upper = {1};
  /// Points per axis: one number for all axes, or one per axis; for monte-carlo, sobol, halton and herding
  /// the number of samples. Empty: 100.
  std::vector<int64_t> counts = {};
  /// In the form that find_quadrature accepts.
  std::string rule = "trapezoid";
  /// For sampling rules; equal seeds give equal samples.
  uint64_t seed = 0;
  /// Number of randomizations of sobol and halton in `integrate_with_error`.
  int64_t replicas = 16;
  /// Maximum number of points of a product of axes per call of the function.
  int64_t points_at_once = 1 << 18;
};

/// Returns ∫ f over the box: a scalar, or […] if f returns [N, …], in the dtype of f's values.
///
///   integrate([](const at::Tensor& x) { return at::sin(10 * x.select(1, 0)); },
///             {.lower = {0}, .upper = {std::numbers::pi}, .counts = {100}, .rule = "trapezoid"});
///
/// Uses the product of the rule's own nodes in every axis, evaluated in parts, or samples, evaluated at once.
/// Memory: what f needs for `points_at_once` points; if f's values require gradients, its graph for all
/// points. Differentiable like f's values. Throws std::invalid_argument if bounds or counts do not match or
/// are not finite, if f does not return one value per point, if the rule is unknown, and for options that
/// would be ignored: a seed for a rule without samples, replicas.
at::Tensor integrate(const Integrand& f, const IntegrateOptions& options);

/// Returns the same integral on a grid of [0,1]^d, scaled to the box; also evaluated in parts.
///
/// Also differentiable in the grid's parameters, through the points and the weights. Throws likewise, and if
/// the options have counts or a seed, since the grid determines the points.
at::Tensor integrate(const Integrand& f, const TensorGrid& grid, const IntegrateOptions& options);

/// Returns ∫ f over the box and its standard error, each a scalar, or […] if f returns [N, …].
///
/// - monte-carlo: the mean over the samples, and their standard deviation over √count.
/// - sobol, halton: the mean over `replicas` integrals with independently randomized samples (f is called once
///   for each), and their standard deviation over √replicas.
/// - bayesian: BayesianQuadrature::estimate on the product of the rule's own nodes.
///
/// Differentiable in f's values. Throws as `integrate` does, for rules without error estimate, and for fewer
/// than two samples or replicas.
IntegralEstimate integrate_with_error(const Integrand& f, const IntegrateOptions& options);

/// Returns `count` points of the d-dimensional Sobol sequence (Joe and Kuo's direction numbers), [count, d]
/// float64 in [0,1). Throws std::invalid_argument unless 1 ≤ count < 2^30 and 1 ≤ d ≤ 21201.
at::Tensor sobol_points(int64_t count, int64_t dimensions);
/// Returns them with a digital shift: each axis is XORed with random bits from `seed`. Each point is then
/// uniform in [0,1)^d, and 2^k points still have one point in each of 2^k equal intervals of every axis.
at::Tensor sobol_points(int64_t count, int64_t dimensions, uint64_t seed);

/// Returns the first `count` points of the d-dimensional Halton sequence, from 0: coordinate k of point i is
/// the radical inverse of i in the k-th prime base. [count, d] float64 in [0,1). Throws std::invalid_argument
/// unless 1 ≤ count < 2^30 and 1 ≤ d ≤ 1000.
at::Tensor halton_points(int64_t count, int64_t dimensions);
/// Returns them with randomly permuted digits (by `seed`), to full precision. Each point is then uniform in
/// [0,1)^d, and b^k points still have one point in each of b^k equal intervals of the axis with base b. Owen,
/// "A randomized Halton algorithm in R", arXiv:1706.02808.
at::Tensor halton_points(int64_t count, int64_t dimensions, uint64_t seed);

}  // namespace inn
