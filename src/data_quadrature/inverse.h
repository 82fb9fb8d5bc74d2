#pragma once
// Regularized inverse of kernels.

#include <ATen/core/Tensor.h>

namespace inn {

/// Returns the inverse of a positive semi-definite matrix, float64; if it is singular, an increasing ridge is
/// added. Throws std::invalid_argument for a matrix that is not positive semi-definite.
at::Tensor inverse_of(const at::Tensor& matrix);

}  // namespace inn
