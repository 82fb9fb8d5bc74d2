#pragma once
// Arithmetic on numbers that a file may have chosen: errors where int64_t overflows, which C++ leaves undefined.

#include <cstdint>

#include "inn/core/error.h"

namespace inn {

/// Return a + b, a - b, a · b. Throw std::out_of_range where that is no 64 bit number.
inline int64_t checked_add(int64_t a, int64_t b) {
  int64_t result = 0;
  require<std::out_of_range>(!__builtin_add_overflow(a, b, &result), "core", "{} + {} is too large.", a, b);
  return result;
}
inline int64_t checked_subtract(int64_t a, int64_t b) {
  int64_t result = 0;
  require<std::out_of_range>(!__builtin_sub_overflow(a, b, &result), "core", "{} - {} is too large.", a, b);
  return result;
}
inline int64_t checked_multiply(int64_t a, int64_t b) {
  int64_t result = 0;
  require<std::out_of_range>(!__builtin_mul_overflow(a, b, &result), "core", "{} · {} is too large.", a, b);
  return result;
}

}  // namespace inn
