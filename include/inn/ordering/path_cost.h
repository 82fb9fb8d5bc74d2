#pragma once
// Distances between the channels of a group.

#include <ATen/core/Tensor.h>

#include <vector>

namespace inn {

/// Returns Σ_i ‖T_{i+1} − T_i‖₁ over the rows of a matrix [n, k], in float64; 0 for n = 1.
double total_variation(const at::Tensor& rows);

/// Returns the cost c(i, j) = Σ over tensors ‖T_i − T_j‖₁ / total_variation(T) of neighboring channels i and
/// j of a group, as float32 [n, n] on the CPU, symmetric with zeros on the diagonal.
///
/// rows: one matrix [n, k] for each tensor and axis of the group, channel i being row i; all with the same n
/// ≥ 1, floating. In the given order each tensor therefore contributes 1 to the path length; a matrix without
/// variation contributes 0. The cost is invariant to permutations of other axes of a tensor, so groups that
/// share tensors are ordered independently. Computed in blocks of pairs, multithreaded: memory besides the
/// result is a copy of 2048 columns of one matrix, or of all columns if it is not float32 on the CPU. The
/// result does not depend on the number of threads. Throws std::invalid_argument if `rows` is empty, a matrix
/// has another number of rows than the first, or one is not finite.
at::Tensor path_cost(const std::vector<at::Tensor>& rows);

/// Returns s_i = Σ_j ‖T_i − T_j‖₂ over the rows of a matrix [n, k], float64 [n] on the CPU.
///
/// Differences are squared directly, so small distances keep their precision. Computed in blocks of pairs,
/// multithreaded: memory besides the result is a float64 copy of the matrix. The result does not depend on
/// the number of threads. Throws std::invalid_argument unless `rows` is a floating matrix with n ≥ 1.
at::Tensor distance_sums(const at::Tensor& rows);

}  // namespace inn
