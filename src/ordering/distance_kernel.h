#pragma once
// Inner loops of the distances between all rows of two blocks. Plain pointers, no tensors.

#include <cstdint>

namespace inn::distance_kernel {

/// Number of rows of a panel, whose entries of one column are contiguous: two vector registers.
template <class T>
constexpr int64_t kPanel = 64 / static_cast<int64_t>(sizeof(T));

/// Writes sums[i, j] = Σ_c |a_ic − b_jc|, row-major [i_panels·kPanel, j_panels·kPanel].
///
/// a, b: panels, each [columns, kPanel]. Summed in blocks of columns, which limits the rounding error.
void absolute_differences(const float* a, int64_t a_panels, const float* b, int64_t b_panels, int64_t columns,
                          float* sums);

/// Writes sums[i, j] = Σ_c (a_ic − b_jc)², likewise.
void squared_differences(const double* a, int64_t a_panels, const double* b, int64_t b_panels,
                         int64_t columns, double* sums);

}  // namespace inn::distance_kernel
