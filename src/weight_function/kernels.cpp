#include "kernels.h"

#include <ATen/ATen.h>

namespace inn::kernels {

AxisMap nearest(int64_t n, const InterpolationKernel::Place& place) {
  const auto index = (place.cell + (place.offset >= 0.5)).clamp(0, n - 1);
  if (!place.offset.requires_grad()) {
    const auto* first = index.const_data_ptr<int64_t>();
    return AxisMap::select({first, first + index.numel()}, n);
  }
  // A zero that depends on the offset: the gradient in the points exists, and is 0.
  return AxisMap::taps(index.unsqueeze(1), 1 + 0 * place.offset.unsqueeze(1), n);
}

AxisMap linear(int64_t n, const InterpolationKernel::Place& place) {
  const auto index = at::stack({place.cell, place.cell + 1}, 1);
  return AxisMap::taps(index, at::stack({1 - place.offset, place.offset}, 1), n);
}

AxisMap cubic(int64_t n, const InterpolationKernel::Place& place) {
  const auto& t = place.offset;
  const auto left = t * (t * (1 - 0.5 * t) - 0.5), right = t * t * (0.5 * t - 0.5);
  const auto here = 1 + t * t * (1.5 * t - 2.5), next = t * (0.5 + t * (2 - 1.5 * t));
  // Beyond an end stands what the parabola through the last three gives: c_{-1} = 3c_0 − 3c_1 + c_2, and its
  // mirror image.
  const auto zero = at::zeros_like(t);
  const auto over_left = at::where(place.cell == 0, left, zero);
  const auto over_right = at::where(place.cell == n - 2, right, zero);
  const auto index =
      at::stack({place.cell - 1, place.cell, place.cell + 1, place.cell + 2}, 1).clamp(0, n - 1);
  const auto weight = at::stack({left - over_left + over_right, here + 3 * over_left - 3 * over_right,
                                 next - 3 * over_left + 3 * over_right, right - over_right + over_left},
                                1);
  return AxisMap::taps(index, weight, n);
}

namespace {

/// Returns the matrix [n, n] that gives the second derivatives M (for control points a distance 1 apart) of
/// the cubic spline through c: M_{i−1} + 4M_i + M_{i+1} = 6(c_{i−1} − 2c_i + c_{i+1}), and no jump of the
/// third derivative at the second and last but one control point: M_0 − 2M_1 + M_2 = 0. n ≥ 3; for n = 3 the
/// spline is the parabola.
at::Tensor second_derivatives(int64_t n) {
  const auto matrix = at::zeros({n, n}, at::kDouble);
  double* entries = matrix.mutable_data_ptr<double>();
  const auto row = [&](int64_t i) { return entries + i * n; };
  const auto add_row = [&](int64_t to, double factor, int64_t from) {
    for (int64_t c = 0; c < n; ++c) row(to)[c] += factor * row(from)[c];
  };
  const auto scale_row = [&](int64_t i, double factor) {
    for (int64_t c = 0; c < n; ++c) row(i)[c] *= factor;
  };
  for (int64_t i = 1; i + 1 < n; ++i) {
    // With M_0 = 2M_1 − M_2 the first equation is 6M_1 = 6(…), and so the last: both stand here already
    // solved.
    const double unit = i == 1 || i == n - 2 ? 1 : 6;
    row(i)[i - 1] = unit;
    row(i)[i] = -2 * unit;
    row(i)[i + 1] = unit;
  }
  // The rest is tridiagonal (1, 4, 1), its ends known: elimination downwards, then substitution upwards.
  std::vector<double> upper(n, 0);
  for (int64_t i = 2; i + 2 < n; ++i) {
    const double pivot = 1 / (4 - upper[i - 1]);
    add_row(i, -1, i - 1);
    scale_row(i, pivot);
    upper[i] = pivot;
  }
  for (int64_t i = n - 3; i >= 2; --i) add_row(i, -upper[i], i + 1);
  if (n == 3) {
    add_row(0, 1, 1);
    add_row(2, 1, 1);
    return matrix;
  }
  add_row(0, 2, 1);
  add_row(0, -1, 2);
  add_row(n - 1, 2, n - 2);
  add_row(n - 1, -1, n - 3);
  return matrix;
}

}  // namespace

AxisMap bspline(int64_t n, const InterpolationKernel::Place& place) {
  const auto& t = place.offset;
  const auto s = 1 - t;
  // On a cell: (1−t) c_i + t c_{i+1} + (s³ − s)/6 M_i + (t³ − t)/6 M_{i+1}. The bends vanish exactly at
  // control points.
  const auto index = at::stack({place.cell, place.cell + 1}, 1);
  const auto bend = at::stack({s * (s * s - 1), t * (t * t - 1)}, 1) / 6;
  const auto correction = AxisMap::taps(index, bend, n).apply(second_derivatives(n), 0);
  return AxisMap::dense(correction.scatter_add(1, index, at::stack({s, t}, 1)));
}

}  // namespace inn::kernels
