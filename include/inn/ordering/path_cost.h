#pragma once
// How far apart the channels of a group lie.

#include <ATen/core/Tensor.h>

#include <vector>

namespace inn {

/// Returns Σ_i ‖T_{i+1} − T_i‖₁ over the rows of a matrix [n, k], in float64; 0 for n = 1.
double total_variation(const at::Tensor& rows);

/// Returns the cost c(i, j) = Σ over tensors ‖T_i − T_j‖₁ / total_variation(T) of a group's channels i and j
/// standing side by side, as float32 [n, n] on the CPU, symmetric with zeros on the diagonal.
///
/// rows: one matrix [n, k] for each tensor and axis of the group, channel i being row i; all with the same n
/// ≥ 1, floating. So in the order that the rows have now each tensor adds 1 to the path's length. A matrix
/// without variation adds nothing. The cost does not change when other axes of a tensor are permuted, so
/// groups that share tensors are ordered each for itself. Computed in blocks of columns: memory beside the
/// result 4 n² bytes and a copy of one matrix. Throws std::invalid_argument where `rows` is empty, a matrix
/// has other rows than the first, or one is not finite.
at::Tensor path_cost(const std::vector<at::Tensor>& rows);

}  // namespace inn
