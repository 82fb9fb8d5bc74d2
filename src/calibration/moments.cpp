#include "inn/calibration/moments.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "inn/core/ranks.h"

namespace inn {
namespace {

// Rows of blocks of which products are made.
constexpr int64_t kBlock = 384;

}  // namespace

void add_gram(const at::Tensor& given, const at::Tensor& rows) {
  at::Tensor sum = given.dim() == 2 ? given.unsqueeze(0) : given;
  const at::Tensor a = rows.dim() == 2 ? rows.unsqueeze(0) : rows;
  const int64_t n = a.size(1);
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t size = std::min(kBlock, n - begin), after = n - begin - size;
    sum.narrow(1, begin, size)
        .narrow(2, begin, size + after)
        .baddbmm_(a.narrow(1, begin, size), a.narrow(1, begin, size + after).transpose(1, 2));
    if (after > 0)
      sum.narrow(1, begin + size, after)
          .narrow(2, begin, size)
          .copy_(sum.narrow(1, begin, size).narrow(2, begin + size, after).transpose(1, 2));
  }
}

void Moments::add(const at::Tensor& rows) {
  const at::Tensor a = rows.to(at::kCPU, at::kDouble);
  if (!square_.defined()) {
    square_ = at::zeros({a.size(0), a.size(0)}, a.options());
    sum_ = at::zeros({a.size(0)}, a.options());
  }
  add_gram(square_, a);
  // A sum along rows that lie apart is slow; a product is not.
  sum_.addmv_(a, at::ones({a.size(1)}, a.options()));
  count_ += a.size(1);
}

void Moments::sum_over_ranks() {
  inn::sum_over_ranks(square_);
  inn::sum_over_ranks(sum_);
  inn::sum_over_ranks(count_);
}

at::Tensor Moments::second() const { return square_ / static_cast<double>(count_); }

at::Tensor Moments::centered() const {
  const at::Tensor mean = sum_ / static_cast<double>(count_);
  return second() - at::outer(mean, mean);
}

}  // namespace inn
