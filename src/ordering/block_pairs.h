#pragma once
// Distances of all pairs of rows of a matrix, block by block.

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "distance_kernel.h"

namespace inn {

/// The rows of a matrix [n, k] in the kernel's layout: panels [k, kPanel], padded with zero rows.
template <class T>
class PackedRows {
 public:
  /// rows: [n, k] of any strides and floating dtype. Copied.
  explicit PackedRows(const at::Tensor& rows);

  int64_t rows() const { return rows_; }
  int64_t columns() const { return columns_; }
  int64_t panels() const { return (rows_ + distance_kernel::kPanel<T> - 1) / distance_kernel::kPanel<T>; }
  const T* panel(int64_t index) const {
    return packed_.const_data_ptr<T>() + index * columns_ * distance_kernel::kPanel<T>;
  }

 private:
  int64_t rows_, columns_;
  at::Tensor packed_;
};

extern template class PackedRows<float>;
extern template class PackedRows<double>;

/// The kernel's sums for rows i, …, i + i_count − 1 and j, …, j + j_count − 1 with i ≤ j; row stride `stride`.
template <class T>
struct BlockOfPairs {
  int64_t i, i_count, j, j_count;
  const T* sums;
  int64_t stride;
};

/// Number of rows of a block; its sums fit the L2 cache.
constexpr int64_t kBlockRows = 128;

/// Calls visit(BlockOfPairs) once for every block on and above the diagonal, concurrently from several threads.
/// compare: one of the kernel's functions. The blocks do not depend on the number of threads.
template <class T, class Compare, class Visit>
void for_each_block(const PackedRows<T>& rows, Compare compare, const Visit& visit) {
  constexpr int64_t kPanels = kBlockRows / distance_kernel::kPanel<T>;
  const int64_t blocks = (rows.rows() + kBlockRows - 1) / kBlockRows;
  std::vector<std::pair<int64_t, int64_t>> pairs;
  for (int64_t i = 0; i < blocks; ++i)
    for (int64_t j = i; j < blocks; ++j) pairs.emplace_back(i, j);
  at::parallel_for(0, static_cast<int64_t>(pairs.size()), 1, [&](int64_t begin, int64_t end) {
    std::vector<T> sums(static_cast<size_t>(kBlockRows * kBlockRows));
    for (int64_t p = begin; p < end; ++p) {
      const auto [i, j] = pairs[static_cast<size_t>(p)];
      const auto panels = [&](int64_t block) { return std::min(kPanels, rows.panels() - block * kPanels); };
      const auto count = [&](int64_t block) {
        return std::min(kBlockRows, rows.rows() - block * kBlockRows);
      };
      compare(rows.panel(i * kPanels), panels(i), rows.panel(j * kPanels), panels(j), rows.columns(),
              sums.data());
      visit(BlockOfPairs<T>{i * kBlockRows, count(i), j * kBlockRows, count(j), sums.data(),
                            panels(j) * distance_kernel::kPanel<T>});
    }
  });
}

}  // namespace inn
