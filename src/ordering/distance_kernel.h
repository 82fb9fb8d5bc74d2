#pragma once
// The loops that compare all rows of one block with all rows of another. Plain pointers, no tensors.

#include <cstdint>

namespace inn::distance_kernel {

/// Rows that lie side by side in memory: as many numbers as two vector registers hold.
template <class T>
constexpr int64_t kPanel = 64 / static_cast<int64_t>(sizeof(T));

/// Writes sums[i, j] = Σ_c |a_ic − b_jc|, row-major [i_panels·kPanel, j_panels·kPanel].
///
/// a, b: panels of rows, each [columns, kPanel]. What is added up grows by blocks of columns, so that the
/// rounding of a sum is that of a few hundred terms.
void absolute_differences(const float* a, int64_t a_panels, const float* b, int64_t b_panels, int64_t columns,
                          float* sums);

/// Writes sums[i, j] = Σ_c (a_ic − b_jc)² of such panels.
void squared_differences(const double* a, int64_t a_panels, const double* b, int64_t b_panels,
                         int64_t columns, double* sums);

}  // namespace inn::distance_kernel
