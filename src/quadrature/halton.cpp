#include <ATen/ATen.h>

#include <cmath>

#include "inn/core/error.h"
#include "inn/core/random.h"
#include "inn/quadrature/integrate.h"

namespace inn {
namespace {

constexpr int64_t most_halton_points = int64_t{1} << 30;
constexpr int64_t most_bases = 1000;
constexpr int64_t largest_base = 7919;  // the thousandth prime

/// Returns the first `count` primes.
std::vector<int64_t> primes(int64_t count) {
  std::vector<int64_t> found;
  std::vector<bool> composite(largest_base + 1, false);
  for (int64_t n = 2; static_cast<int64_t>(found.size()) < count; ++n) {
    if (composite[static_cast<size_t>(n)]) continue;
    found.push_back(n);
    for (int64_t multiple = n * n; multiple <= largest_base; multiple += n)
      composite[static_cast<size_t>(multiple)] = true;
  }
  return found;
}

at::Tensor random_permutation(int64_t count, Random& random) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  for (size_t i = 0; i < order.size(); ++i) {
    const size_t j = random.below(static_cast<uint32_t>(i + 1));
    order[i] = order[j];
    order[j] = static_cast<int64_t>(i);
  }
  return at::tensor(order, at::kLong);
}

/// Returns the digits of 0 … count−1 in `base`, mirrored at the point; permuted where there is a `random`.
at::Tensor mirrored(int64_t count, int64_t base, Random* random) {
  auto left = at::arange(count, at::kLong);
  auto mirrored = at::zeros({count}, at::kDouble);
  int64_t largest = count - 1;
  // Behind its last digit a number has zeros, which are permuted too.
  for (double unit = 1.0 / static_cast<double>(base); random != nullptr ? unit > 0x1p-54 : largest > 0;
       unit /= static_cast<double>(base), largest /= base) {
    auto digit = left.remainder(base);
    if (random != nullptr) digit = random_permutation(base, *random).index_select(0, digit);
    mirrored += digit.to(at::kDouble) * unit;
    left = at::div(left, base, "floor");
  }
  return mirrored.clamp_max(1 - 0x1p-53);  // digits that are all the largest may round to 1
}

at::Tensor halton(int64_t count, int64_t dimensions, const Random* random) {
  require(count >= 1 && count < most_halton_points, "quadrature",
          "Halton points: their count must be in [1, 2^30) but got {}.", count);
  require(dimensions >= 1 && dimensions <= most_bases, "quadrature",
          "Halton points: the count of dimensions must be in [1, {}] but got {}.", most_bases, dimensions);
  std::vector<at::Tensor> axes;
  for (const int64_t base : primes(dimensions)) {
    std::optional<Random> of_base;
    if (random != nullptr) of_base = random->at(static_cast<uint64_t>(base));
    axes.push_back(mirrored(count, base, of_base ? &*of_base : nullptr));
  }
  return at::stack(axes, 1);
}

}  // namespace

at::Tensor halton_points(int64_t count, int64_t dimensions) { return halton(count, dimensions, nullptr); }

at::Tensor halton_points(int64_t count, int64_t dimensions, uint64_t seed) {
  const Random random(seed);
  return halton(count, dimensions, &random);
}

}  // namespace inn
