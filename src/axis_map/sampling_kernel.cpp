#include "sampling_kernel.h"

#include <ATen/Parallel.h>
#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <algorithm>
#include <type_traits>
#include <vector>

// Memory is contiguous in the inner loops, which the compiler turns into vector instructions: those of every
// processor, and where this one has them AVX2's.
#if defined(__x86_64__) && defined(__GNUC__)
#define INN_HAS_AVX2 1
#include <cpuid.h>
#endif
#define INN_INLINE inline __attribute__((always_inline))

namespace inn::sampling_kernel {
namespace {

/// to[i] = Σ_e value[e]·x[column[e]·length + i] over N entries.
template <int N, class T, class Real, class To>
INN_INLINE void combine_some(const T* x, To* to, int64_t length, const int64_t* column, const Real* value) {
  const T* source[N];
  Real weight[N];
  for (int e = 0; e < N; ++e) {
    source[e] = x + column[e] * length;
    weight[e] = value == nullptr ? Real(1) : value[e];
  }
  for (int64_t i = 0; i < length; ++i) {
    Real sum = weight[0] * static_cast<Real>(source[0][i]);
    for (int e = 1; e < N; ++e) sum += weight[e] * static_cast<Real>(source[e][i]);
    to[i] = static_cast<To>(sum);
  }
}

/// The same over any number of entries.
template <class T, class Real, class To>
INN_INLINE void combine(const T* x, To* to, int64_t length, const int64_t* column, const Real* value,
                        int64_t count) {
  switch (count) {
    case 1:
      return combine_some<1>(x, to, length, column, value);
    case 2:
      return combine_some<2>(x, to, length, column, value);
    case 3:
      return combine_some<3>(x, to, length, column, value);
    case 4:
      return combine_some<4>(x, to, length, column, value);
    default:
      break;
  }
  // A block at a time, so that sums stay in registers and in Real.
  constexpr int64_t kBlock = 64;
  Real sum[kBlock];
  for (int64_t start = 0; start < length; start += kBlock) {
    const int64_t size = std::min(kBlock, length - start);
    for (int64_t i = 0; i < size; ++i) sum[i] = 0;
    for (int64_t e = 0; e < count; ++e) {
      const T* source = x + column[e] * length + start;
      const Real weight = value == nullptr ? Real(1) : value[e];
      for (int64_t i = 0; i < size; ++i) sum[i] += weight * static_cast<Real>(source[i]);
    }
    for (int64_t i = 0; i < size; ++i) to[start + i] = static_cast<To>(sum[i]);
  }
}

template <class Real>
INN_INLINE const Real* values_from(const SparseRows<Real>& map, int64_t entry) {
  return map.value == nullptr ? nullptr : map.value + entry;
}

/// Rows r, …, r + N − 1, each [n], mapped to [m]: entries are read once for all of them. `from(i)`
/// and `to(i)` tell where row i lies.
template <int N, class Real, class From, class To>
INN_INLINE void pick(int64_t r, const From& from, const To& to, const SparseRows<Real>& map) {
  decltype(from(0)) x[N];
  decltype(to(0)) y[N];
  for (int i = 0; i < N; ++i) {
    x[i] = from(r + i);
    y[i] = to(r + i);
  }
  for (int64_t j = 0; j < map.rows; ++j) {
    Real sum[N] = {};
    for (int64_t e = map.begin[j]; e < map.begin[j + 1]; ++e) {
      const Real weight = map.value == nullptr ? Real(1) : map.value[e];
      for (int i = 0; i < N; ++i) sum[i] += weight * static_cast<Real>(x[i][map.column[e]]);
    }
    for (int i = 0; i < N; ++i) y[i][j] = static_cast<std::remove_pointer_t<decltype(to(0))>>(sum[i]);
  }
}

/// The same of `count` rows.
template <class Real, class From, class To>
INN_INLINE void pick_all(int64_t count, const From& from, const To& to, const SparseRows<Real>& map) {
  constexpr int kAtOnce = 8;
  int64_t r = 0;
  for (; r + kAtOnce <= count; r += kAtOnce) pick<kAtOnce>(r, from, to, map);
  for (; r < count; ++r) pick<1>(r, from, to, map);
}

/// to [count, m, behind] = x [count, n, behind] mapped.
template <class From, class Real, class T>
INN_INLINE void map_second(const From* x, T* to, int64_t count, int64_t behind, const SparseRows<Real>& map) {
  if (behind == 1)
    return pick_all(
        count, [&](int64_t i) { return x + i * map.cols; }, [&](int64_t i) { return to + i * map.rows; },
        map);
  for (; count > 0; --count, x += map.cols * behind, to += map.rows * behind)
    for (int64_t j = 0; j < map.rows; ++j) {
      const int64_t entry = map.begin[j];
      combine(x, to + j * behind, behind, map.column + entry, values_from(map, entry),
              map.begin[j + 1] - entry);
    }
}

template <class T, class Real>
struct Work {
  const T* x;
  T* y;
  Layout layout;
  SparseRows<Real> first, second;
  int64_t given, wanted;  // lengths of a row of x and of y: all that lies behind axis n
};

/// to = `count` rows, from row j of part p on, of what `first` alone gives.
template <class T, class Real, class To>
INN_INLINE void map_first(const Work<T, Real>& work, int64_t p, int64_t j, int64_t count, To* to) {
  const auto& first = work.first;
  for (int64_t r = 0; r < count; ++r) {
    const int64_t entry = first.begin[j + r];
    combine(work.x + p * first.cols * work.given, to + r * work.given, work.given, first.column + entry,
            values_from(first, entry), first.begin[j + r + 1] - entry);
  }
}

/// `count` rows of y, from row j of part p on: `first`, then `second`.
template <class T, class Real>
INN_INLINE void first_first(const Work<T, Real>& work, int64_t p, int64_t j, int64_t count,
                            std::vector<Real>& buffer) {
  buffer.resize(static_cast<size_t>(count * work.given));
  map_first(work, p, j, count, buffer.data());
  map_second(static_cast<const Real*>(buffer.data()), work.y + (p * work.first.rows + j) * work.wanted,
             count * work.layout.between, work.layout.behind, work.second);
}

/// The same where `first` only picks rows: each is mapped from where it lies.
template <class T, class Real>
INN_INLINE void picked_first(const Work<T, Real>& work, int64_t p, int64_t j, int64_t count) {
  const auto& [x, y, layout, first, second, given, wanted] = work;
  std::vector<const T*> rows;
  std::vector<T*> mapped;
  for (int64_t r = j; r < j + count; ++r) {
    T* to = y + (p * first.rows + r) * wanted;
    if (first.begin[r] == first.begin[r + 1]) {
      std::fill(to, to + wanted, T(0));
      continue;
    }
    const T* row = x + (p * first.cols + first.column[first.begin[r]]) * given;
    if (layout.behind > 1) {
      map_second(row, to, layout.between, layout.behind, second);
      continue;
    }
    for (int64_t b = 0; b < layout.between; ++b) {
      rows.push_back(row + b * second.cols);
      mapped.push_back(to + b * second.rows);
    }
  }
  pick_all(
      static_cast<int64_t>(rows.size()), [&](int64_t i) { return rows[static_cast<size_t>(i)]; },
      [&](int64_t i) { return mapped[static_cast<size_t>(i)]; }, second);
}

/// Whether each of these rows is none or one of what is mapped, as it is.
template <class Real>
INN_INLINE bool only_picks(const SparseRows<Real>& map, int64_t j, int64_t count) {
  if (map.value != nullptr) return false;
  for (int64_t r = j; r < j + count; ++r)
    if (map.begin[r + 1] - map.begin[r] > 1) return false;
  return true;
}

/// The same, `second` first: for fewer rows where those of y are made of fewer rows of x, [low, low + rows).
template <class T, class Real>
INN_INLINE void second_first(const Work<T, Real>& work, int64_t p, int64_t j, int64_t count, int64_t low,
                             int64_t rows, std::vector<Real>& buffer) {
  const auto& [x, y, layout, first, second, given, wanted] = work;
  buffer.resize(static_cast<size_t>(rows * wanted));
  map_second(x + (p * first.cols + low) * given, buffer.data(), rows * layout.between, layout.behind, second);
  std::vector<int64_t> column;
  for (int64_t r = 0; r < count; ++r) {
    const int64_t entry = first.begin[j + r], taps = first.begin[j + r + 1] - entry;
    column.assign(first.column + entry, first.column + entry + taps);
    for (auto& named : column) named -= low;
    combine(static_cast<const Real*>(buffer.data()), y + (p * first.rows + j + r) * wanted, wanted,
            column.data(), values_from(first, entry), taps);
  }
}

/// Numbers that a thread's buffer should hold at most, but for one row: what its own cache holds.
constexpr int64_t kBuffer = 1 << 15;

/// How the rows of y are dealt out: by blocks with the same borders whatever the threads, since how a block
/// is made depends on its rows.
struct Blocks {
  int64_t rows;     // of a block at most
  int64_t in_part;  // blocks of one of the `parts`
  int64_t parts;
  int64_t part_rows;
};

template <class T, class Real>
Blocks blocks_of(const Work<T, Real>& work) {
  const bool one_part = work.first.begin == nullptr;
  const int64_t part_rows = one_part ? work.layout.before : work.first.rows;
  const int64_t rows =
      std::clamp<int64_t>(kBuffer / std::max<int64_t>(1, std::max(work.given, work.wanted)), 1, 32);
  return {rows, (part_rows + rows - 1) / rows, one_part ? 1 : work.layout.before, part_rows};
}

/// Blocks [begin, end) of y.
template <class T, class Real>
INN_INLINE void rows_of(const Work<T, Real>& work, int64_t begin, int64_t end) {
  const auto& [x, y, layout, first, second, given, wanted] = work;
  const Blocks blocks = blocks_of(work);
  std::vector<Real> buffer;
  for (int64_t b = begin; b < end; ++b) {
    const int64_t p = b / blocks.in_part, j = b % blocks.in_part * blocks.rows;
    const int64_t count = std::min(blocks.rows, blocks.part_rows - j), r = p * blocks.part_rows + j;
    if (first.begin == nullptr) {
      map_second(x + r * given, y + r * wanted, count * layout.between, layout.behind, second);
      continue;
    }
    if (second.begin == nullptr) {
      map_first(work, p, j, count, y + r * wanted);
      continue;
    }
    if (only_picks(first, j, count)) {
      picked_first(work, p, j, count);
      continue;
    }
    const int64_t *from = first.column + first.begin[j], *until = first.column + first.begin[j + count];
    int64_t low = first.cols, high = -1;
    for (const int64_t* column = from; column < until; ++column) {
      low = std::min(low, *column);
      high = std::max(high, *column);
    }
    if (const int64_t rows = std::max<int64_t>(0, high - low + 1); rows < count) {
      second_first(work, p, j, count, low, rows, buffer);
    } else {
      first_first(work, p, j, count, buffer);
    }
  }
}

/// Adds the sums of value_gradient over p in [begin, end) and rows [from, until) to `sums`.
template <class T, class Real>
INN_INLINE void dots_of(const T* x, const T* back, double* sums, int64_t behind, const SparseRows<Real>& map,
                        int64_t begin, int64_t end, int64_t from, int64_t until) {
  for (int64_t p = begin; p < end; ++p) {
    for (int64_t j = from; j < until; ++j) {
      const T* g = back + (p * map.rows + j) * behind;
      for (int64_t e = map.begin[j]; e < map.begin[j + 1]; ++e) {
        const T* a = x + (p * map.cols + map.column[e]) * behind;
        double sum = 0;
        for (int64_t i = 0; i < behind; ++i) sum += static_cast<double>(g[i]) * static_cast<double>(a[i]);
        sums[e] += sum;
      }
    }
  }
}

template <class T, class Real>
void rows_everywhere(const Work<T, Real>& work, int64_t begin, int64_t end) {
  rows_of(work, begin, end);
}

#ifdef INN_HAS_AVX2
template <class T, class Real>
__attribute__((target("avx2,fma,f16c"))) void rows_by_avx2(const Work<T, Real>& work, int64_t begin,
                                                           int64_t end) {
  rows_of(work, begin, end);
}

bool has_avx2() {
  static const bool has = [] {
    // Clang 16's __builtin_cpu_supports does not know "f16c".
    unsigned a = 0, b = 0, c = 0, d = 0;
    const bool has_f16c = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c;
  }();
  return has;
}
#endif

/// How many results a thread should have at least: below, starting it costs more than it saves.
constexpr int64_t kGrain = 1 << 14;

}  // namespace

template <class T, class Real>
void apply(const T* x, T* y, const Layout& layout, const SparseRows<Real>& first,
           const SparseRows<Real>& second) {
  const Work<T, Real> work{x,
                           y,
                           layout,
                           first,
                           second,
                           layout.between * second.cols * layout.behind,
                           layout.between * second.rows * layout.behind};
  const Blocks blocks = blocks_of(work);
  const int64_t grain =
      std::max<int64_t>(1, kGrain / std::max<int64_t>(1, blocks.rows * std::max(work.given, work.wanted)));
  at::parallel_for(0, blocks.parts * blocks.in_part, grain, [&](int64_t begin, int64_t end) {
#ifdef INN_HAS_AVX2
    if (has_avx2()) return rows_by_avx2(work, begin, end);
#endif
    rows_everywhere(work, begin, end);
  });
}

template <class T, class Real>
void value_gradient(const T* x, const T* back, Real* gradient, int64_t before, int64_t behind,
                    const SparseRows<Real>& map) {
  const int64_t entries = map.begin[map.rows];
  // As many parts whatever the threads, so that the sum does not depend on them.
  constexpr int64_t kParts = 16;
  const int64_t parts = std::min(before, kParts);
  std::vector<double> sums(static_cast<size_t>(parts * entries), 0.0);
  const auto part = [&](int64_t k) { return k * before / parts; };
  at::parallel_for(0, parts * map.rows, std::max<int64_t>(1, map.rows / 8), [&](int64_t begin, int64_t end) {
    for (int64_t k = begin / map.rows; k * map.rows < end; ++k) {
      const int64_t from = std::max<int64_t>(0, begin - k * map.rows);
      const int64_t until = std::min(map.rows, end - k * map.rows);
      dots_of(x, back, sums.data() + k * entries, behind, map, part(k), part(k + 1), from, until);
    }
  });
  for (int64_t e = 0; e < entries; ++e) {
    double sum = 0;
    for (int64_t k = 0; k < parts; ++k) sum += sums[static_cast<size_t>(k * entries + e)];
    gradient[e] = static_cast<Real>(sum);
  }
}

#define INN_INSTANTIATE(T, Real)                                                     \
  template void apply<T, Real>(const T*, T*, const Layout&, const SparseRows<Real>&, \
                               const SparseRows<Real>&);                             \
  template void value_gradient<T, Real>(const T*, const T*, Real*, int64_t, int64_t, const SparseRows<Real>&)

INN_INSTANTIATE(float, float);
INN_INSTANTIATE(double, double);
INN_INSTANTIATE(c10::BFloat16, float);
INN_INSTANTIATE(c10::Half, float);

}  // namespace inn::sampling_kernel
