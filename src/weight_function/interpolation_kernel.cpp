#include "inn/weight_function/interpolation_kernel.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <cmath>

#include "inn/core/error.h"
#include "inn/core/named_table.h"
#include "kernels.h"

namespace inn {
namespace {

// A grid's points are sums of floating point numbers; these are far above their rounding and far below any
// real distance.
constexpr double same_point_float64 = 1e-12;
constexpr double same_point_float32 = 2.5e-7;

/// The points in float64 on the CPU, with those beyond an end by less than `tolerance` taken to that end.
at::Tensor checked_points(const at::Tensor& points, double tolerance) {
  require(points.defined() && points.dim() == 1 && points.numel() > 0 &&
              (points.scalar_type() == at::kDouble || points.scalar_type() == at::kFloat),
          "weight_function", "Points: must be a non-empty float32 or float64 vector.");
  const auto converted = points.to(at::kCPU, at::kDouble);
  const auto inside = (converted >= -tolerance).logical_and(converted <= 1 + tolerance);
  if (!inside.all().item<bool>()) {
    const auto worst = converted.detach().masked_select(inside.logical_not())[0].item<double>();
    raise("weight_function", "Points: must be in [0, 1] but one is {}.", worst);
  }
  return converted;
}

}  // namespace

std::span<const InterpolationKernel> interpolation_kernels() {
  static const std::vector<InterpolationKernel> table = {
      {"nearest", "value of the nearest control point; ties go right", 1, 0, -1, 1, "", kernels::nearest},
      {"linear", "piecewise linear", 2, 1, 0, 2, "nearest", kernels::linear},
      {"cubic", "Keys' cubic convolution, a = -1/2, with parabolic extrapolation at the ends", 4, 2, 1, 3,
       "linear", kernels::cubic},
      {"bspline", "interpolating cubic spline with not-a-knot ends", 0, 3, 2, 3, "linear", kernels::bspline},
  };
  return table;
}

std::vector<std::string> kernel_names() { return names_of(interpolation_kernels()); }

const InterpolationKernel& find_kernel(std::string_view name) {
  return find_named(interpolation_kernels(), name, "weight_function",
                    "Interpolation kernel '{}': no such kernel.{}");
}

AxisMap interpolation_map(const InterpolationKernel& kernel, int64_t n, const at::Tensor& points) {
  require(n >= 1, "weight_function",
          "Interpolation kernel '{}': at least 1 control point is required but there are {}.", kernel.name,
          n);
  const double tolerance =
      points.defined() && points.scalar_type() == at::kFloat ? same_point_float32 : same_point_float64;
  const auto coordinate = checked_points(points, tolerance) * static_cast<double>(n - 1);
  const auto value = coordinate.detach();
  const auto whole = value.round();
  const auto at_control_point =
      (value - whole).abs() <= tolerance * static_cast<double>(std::max<int64_t>(n - 1, 1));
  if (!coordinate.requires_grad() && at_control_point.all().item<bool>()) {
    const auto indices = whole.to(at::kLong);
    const auto* first = indices.const_data_ptr<int64_t>();
    return AxisMap::select({first, first + indices.numel()}, n);
  }
  const InterpolationKernel* used = &kernel;
  while (n < used->fewest_points) used = &find_kernel(used->simpler);
  // The value of a point at a control point is replaced, its gradient kept.
  const auto snapped = coordinate + at::where(at_control_point, whole - value, at::zeros_like(value));
  const auto exact = at::where(at_control_point, whole, value);
  const auto cell = exact.floor().clamp(0, std::max<int64_t>(n - 2, 0));
  return used->map(n, {.cell = cell.to(at::kLong), .offset = snapped - cell});
}

}  // namespace inn
