#pragma once
// The nodes and weights of Gauss-Legendre quadrature.

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace inn {

/// Nodes on [0,1] and their weights: ∫ f ≈ Σ_i weights_i f(nodes_i). Both [m] float64.
struct NodesAndWeights {
  at::Tensor nodes, weights;
};

/// Returns the m zeros of the Legendre polynomial P_m taken from [−1,1] to [0,1], increasing and exactly
/// symmetric about 1/2, and the weights of the rule, which is exact for polynomials up to degree 2m−1; they
/// sum to 1.
///
/// By Newton's method from Tricomi's estimate, to the last bits. Throws std::invalid_argument unless m ≥ 1.
NodesAndWeights gauss_legendre(int64_t m);

}  // namespace inn
