#include "rules.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

#include "inn/grid/gauss_legendre.h"
#include "inn/grid/grid.h"
#include "inn/quadrature/integrate.h"

namespace inn::rules {
namespace {

/// Adds to the outermost weights what lies between the outermost points and the ends of [0,1].
at::Tensor with_ends(const at::Tensor& weights, const at::Tensor& points) {
  const int64_t m = points.size(0);
  const auto first = points.narrow(0, 0, 1), last = 1 - points.narrow(0, m - 1, 1);
  return weights + at::constant_pad_nd(first, {0, m - 1}) + at::constant_pad_nd(last, {m - 1, 0});
}

at::Tensor trapezoid_inside(const at::Tensor& points) {
  const auto half = points.diff() / 2;
  return at::constant_pad_nd(half, {0, 1}) + at::constant_pad_nd(half, {1, 0});
}

/// Returns the weights of Simpson's rule between the first and the last of an odd count of points.
at::Tensor simpson_odd(const at::Tensor& points) {
  const auto steps = points.diff().view({-1, 2});
  const auto a = steps.select(1, 0), b = steps.select(1, 1), sum = a + b;
  const auto left = sum / 6 * (2 - b / a), middle = sum / 6 * (sum * sum / (a * b)),
             right = sum / 6 * (2 - a / b);
  // Point 2i ends one pair of intervals and begins the next.
  const auto even = at::constant_pad_nd(left, {0, 1}) + at::constant_pad_nd(right, {1, 0});
  return at::stack({even, at::constant_pad_nd(middle, {0, 1})}, 1).flatten().narrow(0, 0, points.size(0));
}

}  // namespace

at::Tensor equal_weights(const at::Tensor& points) {
  return at::full_like(points.detach(), 1.0 / static_cast<double>(points.size(0)));
}

at::Tensor trapezoid_weights(const at::Tensor& points) { return with_ends(trapezoid_inside(points), points); }

at::Tensor simpson_weights(const at::Tensor& points) {
  const int64_t m = points.size(0);
  if (m <= 2) return trapezoid_weights(points);
  if (m % 2 == 1) return with_ends(simpson_odd(points), points);
  const auto steps = points.diff();
  const auto last = steps.narrow(0, m - 2, 1), before = steps.narrow(0, m - 3, 1), sum = last + before;
  const auto correction =
      at::cat({-last * last * last / (6 * before * sum), last * (last + 3 * before) / (6 * before),
               last * (2 * last + 3 * before) / (6 * sum)});
  const auto inside = at::constant_pad_nd(simpson_odd(points.narrow(0, 0, m - 1)), {0, 1}) +
                      at::constant_pad_nd(correction, {m - 3, 0});
  return with_ends(inside, points);
}

at::Tensor gauss_legendre_weights(const at::Tensor& points) { return gauss_legendre(points.size(0)).weights; }

at::Tensor clenshaw_curtis_weights(const at::Tensor& points) {
  const int64_t m = points.size(0), n = m - 1;
  if (m == 1) return at::ones({1}, at::kDouble);
  const auto angle = at::arange(m, at::kDouble) * (std::numbers::pi / static_cast<double>(n));
  // The integral of the cosine series through the points: only even cosines have one, 2/(1 − 4j²) on [−1,1].
  auto sum = at::ones({m}, at::kDouble);
  for (int64_t j = 1; 2 * j <= n; ++j) {
    const auto order = static_cast<double>(j);
    const double share = 2 * j == n ? 1 : 2;
    sum -= share / (4 * order * order - 1) * at::cos(2 * order * angle);
  }
  sum /= static_cast<double>(n);
  sum[0] /= 2;
  sum[n] /= 2;
  return sum;
}

at::Tensor midpoint_nodes(int64_t m, uint64_t) {
  return (at::arange(m, at::kDouble) + 0.5) / static_cast<double>(m);
}

at::Tensor uniform_nodes(int64_t m, uint64_t) { return uniform_points(m); }

at::Tensor gauss_legendre_nodes(int64_t m, uint64_t) { return gauss_legendre(m).nodes; }

at::Tensor clenshaw_curtis_nodes(int64_t m, uint64_t) {
  if (m == 1) return uniform_points(1);
  // sin² of the half angle is 0 and 1 at the ends to the last bit, which (1 − cos)/2 need not be.
  const auto half_angle = at::arange(m, at::kDouble) * (std::numbers::pi / (2 * static_cast<double>(m - 1)));
  return at::sin(half_angle).square();
}

at::Tensor monte_carlo_nodes(int64_t m, uint64_t seed) {
  return std::get<0>(random_points(m, 1, seed).flatten().sort());
}

at::Tensor sobol_nodes(int64_t m, uint64_t seed) {
  return std::get<0>(sobol_points(m, 1, seed).flatten().sort());
}

at::Tensor halton_nodes(int64_t m, uint64_t seed) {
  return std::get<0>(halton_points(m, 1, seed).flatten().sort());
}

}  // namespace inn::rules
