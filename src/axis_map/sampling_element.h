#pragma once
// The work of one GPU thread: one element of a sampled tensor, or a part of one value's gradient. Also plain
// C++, so that it can be tested without a GPU.

#include <cstdint>

#include "sampling_kernel.h"

#ifdef __CUDACC__
#define INN_HOST_DEVICE __host__ __device__
#else
#define INN_HOST_DEVICE
#endif

namespace inn::sampling_kernel {

/// Entries [from, until) of one row of a map; one entry for the identity.
struct Entries {
  int64_t from, until;
};

template <class Real>
INN_HOST_DEVICE Entries entries_of(const SparseRows<Real>& map, int64_t row) {
  if (map.begin == nullptr) return {0, 1};
  return {map.begin[row], map.begin[row + 1]};
}

template <class Real>
INN_HOST_DEVICE int64_t column_of(const SparseRows<Real>& map, int64_t entry) {
  return map.begin == nullptr ? 0 : map.column[entry];
}

template <class Real>
INN_HOST_DEVICE Real value_of(const SparseRows<Real>& map, int64_t entry) {
  return map.value == nullptr ? Real(1) : map.value[entry];
}

/// Number `place` of y = (first ⊗ second)·x, laid out as `apply` has it.
template <class T, class Real>
INN_HOST_DEVICE T sampled_element(const T* x, const Layout& layout, const SparseRows<Real>& first,
                                  const SparseRows<Real>& second, int64_t place) {
  const int64_t s = place % layout.behind;
  place /= layout.behind;
  const int64_t k = place % second.rows;
  place /= second.rows;
  const int64_t b = place % layout.between;
  place /= layout.between;
  const int64_t j = place % first.rows, p = place / first.rows;
  const Entries outer = entries_of(first, j), inner = entries_of(second, k);
  Real sum = 0;
  for (int64_t e = outer.from; e < outer.until; ++e) {
    const T* row =
        x + ((p * first.cols + column_of(first, e)) * layout.between + b) * second.cols * layout.behind;
    Real part = 0;
    for (int64_t f = inner.from; f < inner.until; ++f)
      part += value_of(second, f) * static_cast<Real>(row[column_of(second, f) * layout.behind + s]);
    sum += value_of(first, e) * part;
  }
  return static_cast<T>(sum);
}

/// The row with this entry: the last non-empty one that begins at or before it.
template <class Real>
INN_HOST_DEVICE int64_t row_of(const SparseRows<Real>& map, int64_t entry) {
  int64_t low = 0, high = map.rows;  // begin[low] ≤ entry < begin[high]
  while (high - low > 1) {
    const int64_t middle = low + (high - low) / 2;
    (map.begin[middle] <= entry ? low : high) = middle;
  }
  return low;
}

/// What thread t of `threads` adds to the gradient of one entry's value, as `value_gradient` has it.
template <class T, class Real>
INN_HOST_DEVICE double value_gradient_part(const T* x, const T* back, int64_t before, int64_t behind,
                                           const SparseRows<Real>& map, int64_t entry, int64_t t,
                                           int64_t threads) {
  const int64_t j = row_of(map, entry), column = map.column[entry];
  double sum = 0;
  for (int64_t i = t; i < before * behind; i += threads) {
    const int64_t p = i / behind, s = i % behind;
    sum += static_cast<double>(back[(p * map.rows + j) * behind + s]) *
           static_cast<double>(x[(p * map.cols + column) * behind + s]);
  }
  return sum;
}

}  // namespace inn::sampling_kernel
