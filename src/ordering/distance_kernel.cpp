#include "distance_kernel.h"

#include <algorithm>
#include <cstring>

// Vectors of 32 bytes: one AVX2 instruction per operation if the processor has AVX2, else several of the
// baseline instruction set.
#if defined(__x86_64__) && defined(__GNUC__)
#define INN_HAS_AVX2 1
#endif
#define INN_INLINE inline __attribute__((always_inline))

namespace inn::distance_kernel {
namespace {

typedef float Floats __attribute__((vector_size(32)));
typedef int32_t FloatBits __attribute__((vector_size(32)));
typedef double Doubles __attribute__((vector_size(32)));

constexpr int kRows = 4;               // rows of a at once, so that all sums stay in registers
constexpr int64_t kColumnBlock = 256;  // two panels of it fit the L1 cache

struct Absolute {
  using Number = float;
  using Vector = Floats;
  static INN_INLINE void add(Vector& sum, const Vector& difference) {
    constexpr int32_t kAllButSign = 0x7fffffff;
    sum += reinterpret_cast<Vector>(reinterpret_cast<FloatBits>(difference) & kAllButSign);
  }
};

struct Squared {
  using Number = double;
  using Vector = Doubles;
  static INN_INLINE void add(Vector& sum, const Vector& difference) { sum += difference * difference; }
};

/// Adds the differences of one panel of a and one of b to `sums`, with row stride `stride`.
template <class Difference, class T = typename Difference::Number>
INN_INLINE void add_panels(const T* a, const T* b, int64_t columns, T* sums, int64_t stride) {
  using Vector = typename Difference::Vector;
  constexpr int64_t kHalf = kPanel<T> / 2;
  for (int64_t first = 0; first < kPanel<T>; first += kRows) {
    Vector left[kRows] = {}, right[kRows] = {};
    for (int64_t c = 0; c < columns; ++c) {
      Vector b_left, b_right;
      std::memcpy(&b_left, b + c * kPanel<T>, sizeof(Vector));
      std::memcpy(&b_right, b + c * kPanel<T> + kHalf, sizeof(Vector));
      for (int r = 0; r < kRows; ++r) {
        const T value = a[c * kPanel<T> + first + r];
        Difference::add(left[r], value - b_left);
        Difference::add(right[r], value - b_right);
      }
    }
    for (int r = 0; r < kRows; ++r) {
      T* to = sums + (first + r) * stride;
      for (int64_t j = 0; j < kHalf; ++j) {
        to[j] += left[r][j];
        to[kHalf + j] += right[r][j];
      }
    }
  }
}

template <class Difference, class T = typename Difference::Number>
INN_INLINE void compare(const T* a, int64_t a_panels, const T* b, int64_t b_panels, int64_t columns,
                        T* sums) {
  const int64_t stride = b_panels * kPanel<T>;
  std::fill(sums, sums + a_panels * kPanel<T> * stride, T(0));
  for (int64_t c = 0; c < columns; c += kColumnBlock) {
    const int64_t count = std::min(kColumnBlock, columns - c);
    for (int64_t i = 0; i < a_panels; ++i)
      for (int64_t j = 0; j < b_panels; ++j)
        add_panels<Difference>(a + (i * columns + c) * kPanel<T>, b + (j * columns + c) * kPanel<T>, count,
                               sums + i * kPanel<T> * stride + j * kPanel<T>, stride);
  }
}

#ifdef INN_HAS_AVX2
template <class Difference, class T = typename Difference::Number>
__attribute__((target("avx2,fma"))) void compare_by_avx2(const T* a, int64_t a_panels, const T* b,
                                                         int64_t b_panels, int64_t columns, T* sums) {
  compare<Difference>(a, a_panels, b, b_panels, columns, sums);
}
#endif

template <class Difference, class T = typename Difference::Number>
void compare_here(const T* a, int64_t a_panels, const T* b, int64_t b_panels, int64_t columns, T* sums) {
#ifdef INN_HAS_AVX2
  static const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (has_avx2) return compare_by_avx2<Difference>(a, a_panels, b, b_panels, columns, sums);
#endif
  compare<Difference>(a, a_panels, b, b_panels, columns, sums);
}

}  // namespace

void absolute_differences(const float* a, int64_t a_panels, const float* b, int64_t b_panels, int64_t columns,
                          float* sums) {
  compare_here<Absolute>(a, a_panels, b, b_panels, columns, sums);
}

void squared_differences(const double* a, int64_t a_panels, const double* b, int64_t b_panels,
                         int64_t columns, double* sums) {
  compare_here<Squared>(a, a_panels, b, b_panels, columns, sums);
}

}  // namespace inn::distance_kernel
