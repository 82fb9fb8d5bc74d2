#include "inn/grid/gauss_legendre.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

#include "inn/core/error.h"

namespace inn {
namespace {

struct Legendre {
  double value, derivative;
};

/// Returns P_m(x) and its derivative by the three-term recurrence. |x| < 1.
Legendre legendre(int64_t m, double x) {
  double previous = 1, value = x;
  for (int64_t k = 2; k <= m; ++k) {
    const auto order = static_cast<double>(k);
    const double next = ((2 * order - 1) * x * value - (order - 1) * previous) / order;
    previous = value;
    value = next;
  }
  return {value, static_cast<double>(m) * (previous - x * value) / (1 - x * x)};
}

}  // namespace

NodesAndWeights gauss_legendre(int64_t m) {
  require(m >= 1, "grid", "Gauss-Legendre: the count of nodes must be at least 1 but got {}.", m);
  const auto nodes = at::empty({m}, at::kDouble), weights = at::empty({m}, at::kDouble);
  double *node = nodes.mutable_data_ptr<double>(), *weight = weights.mutable_data_ptr<double>();
  const auto count = static_cast<double>(m);
  for (int64_t i = 0; i < (m + 1) / 2; ++i) {
    const double angle = std::numbers::pi * (4 * static_cast<double>(i) + 3) / (4 * count + 2);
    double x = (1 - (count - 1) / (8 * count * count * count)) * std::cos(angle);
    if (2 * i + 1 == m) x = 0;
    // Newton converges quadratically from an estimate that is good to 1e-3 at worst: four steps reach the
    // last bit.
    for (int step = 0; step < 6; ++step) {
      const auto [value, derivative] = legendre(m, x);
      x -= value / derivative;
    }
    const double derivative = legendre(m, x).derivative;
    node[i] = (1 - x) / 2;
    node[m - 1 - i] = (1 + x) / 2;
    weight[i] = weight[m - 1 - i] = 1 / ((1 - x * x) * derivative * derivative);
  }
  return {nodes, weights};
}

}  // namespace inn
