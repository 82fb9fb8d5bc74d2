#pragma once
// The inverse that kernels have.

#include <ATen/core/Tensor.h>

namespace inn {

/// Returns the inverse of a positive semi-definite matrix, float64, which a rising ridge makes regular where
/// it is not. Throws std::invalid_argument for a matrix that is not positive semi-definite.
at::Tensor inverse_of(const at::Tensor& matrix);

}  // namespace inn
