#include "kernels.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

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

// The entries of the matrix below decay by 2 − √3 = 0.27 per column away from the diagonal; those farther away
// than this contribute less than 1e-16 of a control point.
constexpr int64_t kReach = 27;

/// A banded matrix: row i has the entries of columns first(i), …, first(i) + width − 1.
struct Band {
  int64_t n, width;
  at::Tensor entries;  // [n, width] float64

  int64_t first(int64_t row) const { return std::clamp<int64_t>(row - kReach, 0, n - width); }
};

/// Returns the matrix [n, n] that gives the second derivatives M (for control points a distance 1 apart) of
/// the cubic spline through c: M_{i−1} + 4M_i + M_{i+1} = 6(c_{i−1} − 2c_i + c_{i+1}), and no jump of the
/// third derivative at the second and last but one control point: M_0 − 2M_1 + M_2 = 0. n ≥ 3; for n = 3 the
/// spline is the parabola.
Band second_derivatives(int64_t n) {
  const int64_t width = std::min(n, 2 * kReach + 1);
  Band band{n, width, at::zeros({n, width}, at::kDouble)};
  double* entries = band.entries.mutable_data_ptr<double>();
  // Entry [i, c], c within the band.
  const auto entry = [&](int64_t i, int64_t c) -> double& { return entries[i * width + c - band.first(i)]; };
  const auto add_row = [&](int64_t to, double factor, int64_t from) {
    const int64_t begin = std::max(band.first(to), band.first(from));
    const int64_t end = std::min(band.first(to), band.first(from)) + width;
    for (int64_t c = begin; c < end; ++c) entry(to, c) += factor * entry(from, c);
  };
  const auto scale_row = [&](int64_t i, double factor) {
    for (int64_t k = 0; k < width; ++k) entries[i * width + k] *= factor;
  };
  for (int64_t i = 1; i + 1 < n; ++i) {
    // With M_0 = 2M_1 − M_2 the first equation is 6M_1 = 6(…), and so the last: both stand here already
    // solved.
    const double unit = i == 1 || i == n - 2 ? 1 : 6;
    entry(i, i - 1) = unit;
    entry(i, i) = -2 * unit;
    entry(i, i + 1) = unit;
  }
  // The rest is tridiagonal (1, 4, 1), its ends known: elimination downwards, then substitution upwards.
  std::vector<double> upper(static_cast<size_t>(n), 0);
  for (int64_t i = 2; i + 2 < n; ++i) {
    const double pivot = 1 / (4 - upper[static_cast<size_t>(i - 1)]);
    add_row(i, -1, i - 1);
    scale_row(i, pivot);
    upper[static_cast<size_t>(i)] = pivot;
  }
  for (int64_t i = n - 3; i >= 2; --i) add_row(i, -upper[static_cast<size_t>(i)], i + 1);
  if (n == 3) {
    add_row(0, 1, 1);
    add_row(2, 1, 1);
    return band;
  }
  add_row(0, 2, 1);
  add_row(0, -1, 2);
  add_row(n - 1, 2, n - 2);
  add_row(n - 1, -1, n - 3);
  return band;
}

/// The second derivatives at both ends of each cell between two control points, as combinations of the control
/// points.
struct SplineCells {
  int64_t n, width;        // taps of a cell
  at::Tensor first;        // int64 [n−1]: the first control point that a cell depends on
  at::Tensor left, right;  // [n−1, width]: second derivatives at its left and at its right end, from there on
};

SplineCells make_cells(int64_t n) {
  const Band band = second_derivatives(n);
  const int64_t width = std::min(n, band.width + 1);
  SplineCells cells{n, width, at::empty({n - 1}, at::kLong), at::zeros({n - 1, width}, at::kDouble),
                    at::zeros({n - 1, width}, at::kDouble)};
  const auto* entries = band.entries.const_data_ptr<double>();
  auto* firsts = cells.first.mutable_data_ptr<int64_t>();
  for (int64_t c = 0; c + 1 < n; ++c) {
    firsts[c] = std::min(band.first(c), n - width);
    for (const auto& [table, i] : {std::pair(&cells.left, c), std::pair(&cells.right, c + 1)})
      std::copy_n(entries + i * band.width, band.width,
                  table->mutable_data_ptr<double>() + c * width + band.first(i) - firsts[c]);
  }
  return cells;
}

/// Cached by n, since they do not depend on the points.
std::shared_ptr<const SplineCells> cells_of(int64_t n) {
  static std::mutex mutex;
  static std::map<int64_t, std::shared_ptr<const SplineCells>> known;
  constexpr size_t kKept = 64;
  const std::lock_guard lock(mutex);
  if (const auto found = known.find(n); found != known.end()) return found->second;
  const c10::InferenceMode usable_everywhere(false);
  if (known.size() == kKept) known.clear();
  return known[n] = std::make_shared<const SplineCells>(make_cells(n));
}

}  // namespace

AxisMap bspline(int64_t n, const InterpolationKernel::Place& place) {
  // Below, a product with a dense matrix is faster than gathering the taps.
  constexpr int64_t kDenseBelow = 4 * (2 * kReach + 2);
  const auto cells = cells_of(n);
  const auto& t = place.offset;
  const auto s = 1 - t;
  // On a cell: (1−t) c_i + t c_{i+1} + (s³ − s)/6 M_i + (t³ − t)/6 M_{i+1}. The bends vanish exactly at
  // control points.
  const auto bend = [](const at::Tensor& u) { return (u * (u * u - 1) / 6).unsqueeze(1); };
  const auto of_cell = [&](const at::Tensor& table) { return table.index_select(0, place.cell); };
  const auto correction = bend(s) * of_cell(cells->left) + bend(t) * of_cell(cells->right);
  const auto first = of_cell(cells->first);
  const auto ends = at::stack({place.cell, place.cell + 1}, 1) - first.unsqueeze(1);
  const auto weight = correction.scatter_add(1, ends, at::stack({s, t}, 1));
  if (cells->width == n) return AxisMap::dense(weight);
  const auto map = AxisMap::taps(first.unsqueeze(1) + at::arange(cells->width), weight, n);
  return n < kDenseBelow ? AxisMap::dense(map.to_dense()) : map;
}

}  // namespace inn::kernels
