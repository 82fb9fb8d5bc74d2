#pragma once
// Interpolation kernels: functions on [0,1] from control points.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inn/axis_map/axis_map.h"

namespace inn {

/// An entry of the table of interpolation kernels. The n control points c are at i/(n−1) (a single one is
/// constant); the function is linear in them and interpolates them.
struct InterpolationKernel {
  std::string name;
  std::string summary;
  /// Number of control points that a value depends on; 0: all.
  int64_t taps = 0;
  /// Maximum degree of polynomials that it reproduces exactly, given enough control points.
  int64_t degree = 0;
  /// How many times the function is continuously differentiable; −1: discontinuous.
  int64_t smoothness = 0;
  /// Minimum number of control points; with fewer, the next simpler kernel is used (`simpler`).
  int64_t fewest_points = 1;
  std::string simpler;

  /// Positions of the points relative to the control points: all [m], on the CPU.
  struct Place {
    at::Tensor cell;    // int64: the control point to the left, in [0, n−2]
    at::Tensor offset;  // float64: in [0, 1] from there, exactly 0 or 1 at a control point; differentiable
  };
  AxisMap (*map)(int64_t n, const Place& place) = nullptr;
};

/// Returns the table: nearest, linear, cubic, bspline.
std::span<const InterpolationKernel> interpolation_kernels();

/// Returns the names in the table, in its order.
std::vector<std::string> kernel_names();

/// Returns the kernel with that name. Throws std::invalid_argument with the nearest names.
const InterpolationKernel& find_kernel(std::string_view name);

/// Returns the m×n map that samples the function with n control points at `points`.
///
/// (map · c)_j = Σ_i φ_i(points_j) c_i, exact for polynomials up to `kernel.degree`; a row sums to 1. With
/// fewer control points than the kernel requires the degree is n−1. A point within 1e-12 of a control point
/// (2.5e-7 where `points` is float32) is treated as that control point, with exactly its value; if this holds
/// for all points and none requires a gradient, the map is a selection, and the identity on the grid of the
/// control points. points: [m] in [0,1], float32 or float64, in any order. The map is float64, on the CPU;
/// differentiable in `points`. Throws std::invalid_argument if a point is outside [0,1], points is not a
/// non-empty vector, or n < 1. Cubic: Keys, "Cubic convolution interpolation for digital image processing",
/// IEEE TASSP 1981, eq. 15 and 19-25.
AxisMap interpolation_map(const InterpolationKernel& kernel, int64_t n, const at::Tensor& points);

}  // namespace inn
