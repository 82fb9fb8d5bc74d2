#include "inn/calibration/moments.h"

#include <ATen/ATen.h>

#include "inn/core/ranks.h"

namespace inn {

void Moments::add(const at::Tensor& rows) {
  const at::Tensor a = rows.to(at::kCPU, at::kDouble);
  const at::Tensor product = at::mm(a, a.t()), sum = a.sum(1);
  square_ = square_.defined() ? square_ + product : product;
  sum_ = sum_.defined() ? sum_ + sum : sum;
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
