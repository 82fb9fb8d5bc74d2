#pragma once
// Sampling a tensor along one or two axes by sparse maps, in one pass, with gradients.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace inn {

/// A sparse map from width `cols` to width `rows` in compressed rows, on an axis [outer·cols·inner] of a
/// tensor.
struct SparseAxis {
  int64_t axis, outer, inner;
  int64_t rows, cols;
  at::Tensor begin, column;  // int64 [rows + 1] and [entries], on the tensor's device
  at::Tensor value;          // [entries], float32 or float64 there; undefined: all are one
};

/// Whether tensors on this device are supported: the CPU, and CUDA if its kernels were built.
bool can_sample_on(c10::DeviceType device);

/// The transpose, in compressed rows too.
SparseAxis transposed(const SparseAxis& map);

/// The same by torch's operators, for maps on any device; `transposed` has loops for the CPU.
SparseAxis transposed_by_sorting(const SparseAxis& map);

/// Returns `x`, a floating point tensor on a device that can be sampled, with one or two different axes
/// mapped.
///
/// One pass over memory: no intermediate result except some rows per thread. A dense memory format (such as
/// channels last) is kept. Sums of bfloat16 and float16 are made in float32. Differentiable in x and the
/// values, twice too. The result does not depend on the number of threads.
at::Tensor sample_sparse(const at::Tensor& x, const std::vector<SparseAxis>& axes);

}  // namespace inn
