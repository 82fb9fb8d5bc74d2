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
  at::Tensor begin, column;  // int64 [rows + 1] and [entries], on the CPU
  at::Tensor value;          // [entries], float32 or float64 on the CPU; undefined: all are one
};

/// Returns `x`, a floating point tensor on the CPU, with one or two different axes mapped.
///
/// One pass over memory: no intermediate result but some rows a thread. The layout of memory (channels last,
/// say) is kept where it is dense. Sums of bfloat16 and float16 are made in float32. Differentiable in x and
/// the values, twice too. The result does not depend on the number of threads.
at::Tensor sample_sparse(const at::Tensor& x, const std::vector<SparseAxis>& axes);

}  // namespace inn
