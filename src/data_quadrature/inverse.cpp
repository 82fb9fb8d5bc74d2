#include "inverse.h"

#include <ATen/ATen.h>

#include <limits>

#include "inn/core/error.h"

namespace inn {
namespace {

constexpr double kLeastJitter = 1e-12;  // relative: nearer to singular float64 does not see

}  // namespace

at::Tensor inverse_of(const at::Tensor& matrix) {
  const double mean = std::max(matrix.diagonal().mean().item<double>(), std::numeric_limits<double>::min());
  for (double ridge = 0; ridge < 1; ridge = ridge == 0 ? kLeastJitter : 10 * ridge) {
    at::Tensor shifted = matrix.clone();
    shifted.diagonal().add_(ridge * mean);
    const auto [factor, info] = at::linalg_cholesky_ex(shifted);
    if (info.item<int>() == 0) return at::cholesky_inverse(factor);
  }
  raise("data_quadrature", "Nodes: the kernel must be positive semi-definite.");
}

}  // namespace inn
