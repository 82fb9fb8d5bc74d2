#pragma once
// The loops that sample memory along one or two axes by sparse maps. Plain pointers, no tensors.

#include <cstdint>

namespace inn::sampling_kernel {

/// A sparse map: (A x)_j = Σ value[e]·x[column[e]] over begin[j] ≤ e < begin[j + 1].
template <class Real>
struct SparseRows {
  int64_t rows, cols;
  const int64_t* begin;
  const int64_t* column;
  const Real* value;  // null: all are one
};

/// The memory layout [before, n, between, n', behind] around the two mapped axes.
struct Layout {
  int64_t before, between, behind;
};

/// Writes y = (first ⊗ second)·x in one pass: x [before, n, between, n', behind], y [before, m, between, m',
/// behind], both contiguous. A map without `begin` is the identity of one row (n = m = 1, n' = m' = 1). T is
/// what memory holds (float, double, BFloat16, Half), Real what sums are made in. Parallel over blocks of
/// rows of y; a thread needs a buffer of some rows.
template <class T, class Real>
void apply(const T* x, T* y, const Layout& layout, const SparseRows<Real>& first,
           const SparseRows<Real>& second);

/// Writes gradient[e] = Σ_{p,s} back[p, j, s]·x[p, column[e], s] for the entries e of each row j: the
/// gradient of the values where `back` [before, m, behind] is that of A·x, x being [before, n, behind].
template <class T, class Real>
void value_gradient(const T* x, const T* back, Real* gradient, int64_t before, int64_t behind,
                    const SparseRows<Real>& map);

/// The same for memory of the current CUDA device, maps' included, on its current stream: built if torch has
/// CUDA and a CUDA compiler is found (INN_HAS_CUDA_KERNELS). `entries` is begin[rows], which only that device
/// can read.
template <class T, class Real>
void apply_on_cuda(const T* x, T* y, const Layout& layout, const SparseRows<Real>& first,
                   const SparseRows<Real>& second);
template <class T, class Real>
void value_gradient_on_cuda(const T* x, const T* back, Real* gradient, int64_t entries, int64_t before,
                            int64_t behind, const SparseRows<Real>& map);

}  // namespace inn::sampling_kernel
