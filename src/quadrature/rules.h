#pragma once
// The weights and nodes of the rules in the table. Points come checked: float64, on the CPU, strictly
// increasing in [0,1].

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "inn/quadrature/quadrature.h"

namespace inn::rules {

/// Returns the tolerance for comparing a point computed in that dtype with a node or an end of the interval.
constexpr double same_point(at::ScalarType dtype) { return dtype == at::kFloat ? 1e-6 : 1e-9; }

at::Tensor equal_weights(const at::Tensor& points);
at::Tensor trapezoid_weights(const at::Tensor& points);
at::Tensor simpson_weights(const at::Tensor& points);
at::Tensor gauss_legendre_weights(const at::Tensor& points);
at::Tensor clenshaw_curtis_weights(const at::Tensor& points);

at::Tensor midpoint_nodes(int64_t m, uint64_t seed);
at::Tensor uniform_nodes(int64_t m, uint64_t seed);
at::Tensor gauss_legendre_nodes(int64_t m, uint64_t seed);
at::Tensor clenshaw_curtis_nodes(int64_t m, uint64_t seed);
at::Tensor monte_carlo_nodes(int64_t m, uint64_t seed);
at::Tensor sobol_nodes(int64_t m, uint64_t seed);
at::Tensor halton_nodes(int64_t m, uint64_t seed);

/// Returns `count` uniform random points, [count, dimensions] float64 in [0,1).
at::Tensor random_points(int64_t count, int64_t dimensions, uint64_t seed);
/// Returns the mean over independent samples [N, …] and its standard error.
IntegralEstimate sample_mean(const at::Tensor& points, const at::Tensor& values);

/// Returns the rules with a covariance kernel: "KERNEL" or "KERNEL,LENGTH".
Quadrature bayesian(std::string_view parameters);
Quadrature herding(std::string_view parameters);

}  // namespace inn::rules
