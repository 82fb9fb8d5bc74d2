#pragma once
// The weights and nodes of the rules in the table. Points come checked: float64, on the CPU, strictly
// increasing in [0,1].

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace inn::rules {

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

/// Returns `count` uniform random points, [count, dimensions] float64 in [0,1).
at::Tensor random_points(int64_t count, int64_t dimensions, uint64_t seed);

}  // namespace inn::rules
