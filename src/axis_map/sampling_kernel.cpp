#include "axis_map/sampling_kernel.h"

#include <ATen/Parallel.h>
#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <algorithm>
#include <vector>

// Memory is contiguous in the inner loops, which the compiler turns into vector instructions: those of every
// processor, and where this one has them AVX2's.
#if defined(__x86_64__) && defined(__GNUC__)
#define INN_HAS_AVX2 1
#endif
#define INN_INLINE inline __attribute__((always_inline))

namespace inn::sampling_kernel {
namespace {

/// to[i] = Σ_e value[e]·x[column[e]·length + i] over the entries [begin, end), at least one of them.
template <class T, class Real, class To>
INN_INLINE void combine(const T* x, To* to, int64_t length, const int64_t* column, const Real* value,
                        int64_t begin, int64_t end) {
  const auto weight = [&](int64_t e) { return value == nullptr ? Real(1) : value[e]; };
  const auto source = [&](int64_t e) { return x + column[e] * length; };
  if (end - begin == 4) {
    const T *a = source(begin), *b = source(begin + 1), *c = source(begin + 2), *d = source(begin + 3);
    const Real u = weight(begin), v = weight(begin + 1), w = weight(begin + 2), z = weight(begin + 3);
    for (int64_t i = 0; i < length; ++i)
      to[i] = static_cast<To>(u * static_cast<Real>(a[i]) + v * static_cast<Real>(b[i]) +
                              w * static_cast<Real>(c[i]) + z * static_cast<Real>(d[i]));
    return;
  }
  if (end - begin == 1) {
    const T* a = source(begin);
    const Real u = weight(begin);
    for (int64_t i = 0; i < length; ++i) to[i] = static_cast<To>(u * static_cast<Real>(a[i]));
    return;
  }
  // A block at a time, so that sums stay in registers and in Real.
  constexpr int64_t kBlock = 64;
  Real sum[kBlock];
  for (int64_t start = 0; start < length; start += kBlock) {
    const int64_t size = std::min(kBlock, length - start);
    for (int64_t i = 0; i < size; ++i) sum[i] = 0;
    for (int64_t e = begin; e < end; ++e) {
      const T* a = source(e) + start;
      const Real u = weight(e);
      for (int64_t i = 0; i < size; ++i) sum[i] += u * static_cast<Real>(a[i]);
    }
    for (int64_t i = 0; i < size; ++i) to[start + i] = static_cast<To>(sum[i]);
  }
}

/// to [m'] = second·x for x [n'].
template <class From, class Real, class T>
INN_INLINE void pick(const From* x, T* to, const SparseRows<Real>& map) {
  for (int64_t j = 0; j < map.rows; ++j) {
    Real sum = 0;
    for (int64_t e = map.begin[j]; e < map.begin[j + 1]; ++e)
      sum += (map.value == nullptr ? Real(1) : map.value[e]) * static_cast<Real>(x[map.column[e]]);
    to[j] = static_cast<T>(sum);
  }
}

/// to [between, m', behind] = second·x for x [between, n', behind].
template <class From, class Real, class T>
INN_INLINE void map_second(const From* x, T* to, const Layout& layout, const SparseRows<Real>& map) {
  for (int64_t b = 0; b < layout.between;
       ++b, x += map.cols * layout.behind, to += map.rows * layout.behind) {
    if (layout.behind == 1) {
      pick(x, to, map);
      continue;
    }
    for (int64_t j = 0; j < map.rows; ++j)
      combine(x, to + j * layout.behind, layout.behind, map.column, map.value, map.begin[j],
              map.begin[j + 1]);
  }
}

template <class T, class Real>
struct Work {
  const T* x;
  T* y;
  Layout layout;
  SparseRows<Real> first, second;
  bool second_is_identity;
};

/// Rows [begin, end) of the before·m rows of y.
template <class T, class Real>
INN_INLINE void rows_of(const Work<T, Real>& work, int64_t begin, int64_t end) {
  const auto& [x, y, layout, first, second, second_is_identity] = work;
  const int64_t given = layout.between * second.cols * layout.behind;
  const int64_t wanted = layout.between * second.rows * layout.behind;
  std::vector<Real> buffer(second_is_identity ? 0 : static_cast<size_t>(given));
  for (int64_t r = begin; r < end; ++r) {
    const int64_t p = r / first.rows, j = r % first.rows;
    const T* source = x + p * first.cols * given;
    T* to = y + r * wanted;
    const int64_t from = first.begin[j], until = first.begin[j + 1];
    if (second_is_identity) {
      combine(source, to, given, first.column, first.value, from, until);
    } else if (until - from == 1 && first.value == nullptr) {
      map_second(source + first.column[from] * given, to, layout, second);
    } else {
      combine(source, buffer.data(), given, first.column, first.value, from, until);
      map_second(static_cast<const Real*>(buffer.data()), to, layout, second);
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
  static const bool has =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  return has;
}
#endif

template <class Real>
bool is_identity(const SparseRows<Real>& map) {
  return map.value == nullptr && map.begin == nullptr;
}

/// How many results a thread should have at least: below, starting it costs more than it saves.
constexpr int64_t kGrain = 1 << 14;

}  // namespace

template <class T, class Real>
void apply(const T* x, T* y, const Layout& layout, const SparseRows<Real>& first,
           const SparseRows<Real>& second) {
  const Work<T, Real> work{x, y, layout, first, second, is_identity(second)};
  const int64_t row = layout.between * std::max(second.rows, second.cols) * layout.behind;
  const int64_t grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, row));
  at::parallel_for(0, layout.before * first.rows, grain, [&](int64_t begin, int64_t end) {
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
