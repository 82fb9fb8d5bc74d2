// Other sizes of images.

#include <cmath>

#include "operators.h"

namespace inn::onnx::reading {
namespace {

/// A node's way to compute where a position of the output lies in the input.
struct Resize {
  std::string mode, coordinates, nearest;
  std::vector<double> scales;  // of every axis
  std::vector<int64_t> sizes;  // of the result
  bool has_scales = false;
};

double position(const Resize& resize, int64_t out, size_t axis, int64_t in_size) {
  const double scale = resize.scales[axis], at = static_cast<double>(out);
  const auto out_size = static_cast<double>(resize.sizes[axis]);
  if (resize.coordinates == "asymmetric") return at / scale;
  if (resize.coordinates == "align_corners") {
    const double whole = scale * static_cast<double>(in_size);  // not rounded, where scales are given
    return whole == 1 ? 0 : at * (static_cast<double>(in_size) - 1) / (whole - 1);
  }
  if (resize.coordinates == "pytorch_half_pixel" && out_size == 1) return 0;
  return (at + 0.5) / scale - 0.5;
}

int64_t nearest_to(const Resize& resize, double place) {
  if (resize.nearest == "floor") return static_cast<int64_t>(std::floor(place));
  if (resize.nearest == "ceil") return static_cast<int64_t>(std::ceil(place));
  if (resize.nearest == "round_prefer_ceil") return static_cast<int64_t>(std::floor(place + 0.5));
  return static_cast<int64_t>(std::ceil(place - 0.5));
}

/// The positions of the input that an axis of the output has.
std::vector<int64_t> nearest_positions(const Resize& resize, size_t axis, int64_t in_size) {
  std::vector<int64_t> places;
  for (int64_t out = 0; out < resize.sizes[axis]; ++out)
    places.push_back(
        std::clamp<int64_t>(nearest_to(resize, position(resize, out, axis, in_size)), 0, in_size - 1));
  return places;
}

Resize resize_of(NodeView& node, const at::Tensor& x) {
  Resize resize;
  node.ignore({"cubic_coeff_a", "exclude_outside", "extrapolation_value", "nearest_mode"});  // of other modes
  node.ignore_input(1);  // the region of interest, of another mode
  const bool is_old = node.opset() < 11 || node.node().op == "Upsample";
  resize.mode = node.text("mode", "nearest");
  resize.coordinates = node.text("coordinate_transformation_mode", is_old ? "asymmetric" : "half_pixel");
  resize.nearest = node.text("nearest_mode", is_old ? "floor" : "round_prefer_floor");
  node.require_that(node.attribute("antialias", 0) == 0, "'antialias' is not supported");
  node.require_that(node.text("keep_aspect_ratio_policy", "stretch") == "stretch",
                    "only the policy 'stretch' is supported");
  node.require_that(resize.coordinates != "tf_crop_and_resize", "'tf_crop_and_resize' is not supported");
  const size_t scales_at = is_old ? 1 : 2, sizes_at = 3;
  auto axes = node.attributes("axes");
  if (axes.empty())
    for (int64_t axis = 0; axis < x.dim(); ++axis) axes.push_back(axis);
  resize.scales.assign(static_cast<size_t>(x.dim()), 1.0);
  resize.sizes = x.sizes().vec();
  const auto* scales = node.constant(scales_at);
  resize.has_scales = scales != nullptr && scales->numel() > 0;
  if (resize.has_scales) {
    node.require_that(scales->dim() == 1 && scales->size(0) == static_cast<int64_t>(axes.size()),
                      "the scales do not fit the input");
    for (size_t i = 0; i < axes.size(); ++i) {
      const auto axis = static_cast<size_t>(axis_of(node, axes[i], x.dim()));
      resize.scales[axis] = node.element(scales_at, static_cast<int64_t>(i));
      node.require_that(resize.scales[axis] > 0, "scales must be positive");
      resize.sizes[axis] = static_cast<int64_t>(
          std::floor(static_cast<double>(x.size(static_cast<int64_t>(axis))) * resize.scales[axis]));
    }
  } else {
    node.require_that(node.has(sizes_at), "neither scales nor sizes");
    const auto sizes = node.integers(sizes_at);
    node.require_that(sizes.size() == axes.size(), "the sizes do not fit the input");
    for (size_t i = 0; i < axes.size(); ++i) {
      const auto axis = static_cast<size_t>(axis_of(node, axes[i], x.dim()));
      resize.sizes[axis] = sizes[i];
      node.require_that(x.size(static_cast<int64_t>(axis)) > 0, "an empty input");
      resize.scales[axis] =
          static_cast<double>(sizes[i]) / static_cast<double>(x.size(static_cast<int64_t>(axis)));
    }
  }
  for (const auto size : resize.sizes) node.require_that(size >= 1, "an empty result");
  return resize;
}

Tensors nearest(const at::Tensor& x, const Resize& resize) {
  bool is_floor = x.dim() == 4, is_exact = x.dim() == 4;  // whether torch's own two ways give these positions
  for (size_t axis = 0; axis < resize.sizes.size(); ++axis) {
    const auto in_size = x.size(static_cast<int64_t>(axis));
    if (resize.sizes[axis] == in_size) continue;
    if (axis < 2) is_floor = is_exact = false;
    const auto places = nearest_positions(resize, axis, in_size);
    for (size_t out = 0; out < places.size(); ++out) {
      const auto scale = static_cast<float>(1.0 / resize.scales[axis]);
      const auto last = static_cast<float>(in_size - 1);
      is_floor = is_floor && places[out] == static_cast<int64_t>(
                                                std::min(std::floor(static_cast<float>(out) * scale), last));
      is_exact = is_exact && places[out] == static_cast<int64_t>(std::min(
                                                std::floor((static_cast<float>(out) + 0.5F) * scale), last));
    }
  }
  if (is_floor || is_exact) {
    const auto sizes = at::IntArrayRef(resize.sizes).slice(2);
    const auto h = resize.scales[2], w = resize.scales[3];
    const std::vector<double> scales{h, w};
    if (resize.has_scales)
      return {is_floor ? at::upsample_nearest2d(x, std::nullopt, scales)
                       : at::_upsample_nearest_exact2d(x, std::nullopt, scales)};
    return {is_floor ? at::upsample_nearest2d(x, sizes) : at::_upsample_nearest_exact2d(x, sizes)};
  }
  at::Tensor result = x;
  for (size_t axis = 0; axis < resize.sizes.size(); ++axis) {
    const auto in_size = x.size(static_cast<int64_t>(axis));
    if (resize.sizes[axis] != in_size)
      result = at::index_select(result, static_cast<int64_t>(axis),
                                at::tensor(nearest_positions(resize, axis, in_size), at::kLong));
  }
  return {result};
}

Tensors compute(NodeView& node) {
  const auto x = node.tensor(0);
  const auto resize = resize_of(node, x);
  if (resize.sizes == x.sizes().vec()) return {x};
  if (resize.mode == "nearest") return nearest(x, resize);
  const bool aligns = resize.coordinates == "align_corners";
  node.require_that(
      aligns || resize.coordinates == "half_pixel" || resize.coordinates == "pytorch_half_pixel",
      fmt::format("'{}' is only supported for nearest positions", resize.coordinates));
  node.require_that(x.dim() == 4 && resize.sizes[0] == x.size(0) && resize.sizes[1] == x.size(1),
                    "only the last two axes of four can be interpolated");
  for (const size_t axis : {2, 3}) {
    const auto in_size = static_cast<double>(x.size(static_cast<int64_t>(axis)));
    node.require_that(!aligns || resize.scales[axis] * in_size == static_cast<double>(resize.sizes[axis]),
                      "aligned corners with a scale that does not give a whole size are not supported");
    node.require_that(resize.coordinates != "pytorch_half_pixel" || resize.sizes[axis] > 1 || in_size == 1,
                      "'pytorch_half_pixel' with a size of 1 is not supported");
  }
  const auto sizes = at::IntArrayRef(resize.sizes).slice(2);
  const std::vector<double> scales{resize.scales[2], resize.scales[3]};
  if (resize.mode == "linear")
    return {resize.has_scales ? at::upsample_bilinear2d(x, std::nullopt, aligns, scales)
                              : at::upsample_bilinear2d(x, sizes, aligns)};
  node.require_that(resize.mode == "cubic", fmt::format("mode '{}' is not supported", resize.mode));
  node.require_that(
      std::abs(node.real("cubic_coeff_a", -0.75) + 0.75) < 1e-6 && node.attribute("exclude_outside", 0) == 0,
      "cubic interpolation other than torch's (a = -0.75) is not supported");
  return {resize.has_scales ? at::upsample_bicubic2d(x, std::nullopt, aligns, scales)
                            : at::upsample_bicubic2d(x, sizes, aligns)};
}

Tensors grid_sample(NodeView& node) {
  const std::map<std::string, int64_t> modes = {{"bilinear", 0},
                                                {"linear", 0},
                                                {"nearest", 1},
                                                {"bicubic", 2},
                                                {"cubic", 2}},
                                       paddings = {{"zeros", 0}, {"border", 1}, {"reflection", 2}};
  const auto mode = modes.find(node.text("mode", "linear")),
             padding = paddings.find(node.text("padding_mode", "zeros"));
  node.require_that(mode != modes.end() && padding != paddings.end(), "unknown mode");
  return {at::grid_sampler(node.tensor(0), node.tensor(1), mode->second, padding->second,
                           node.attribute("align_corners", 0) != 0)};
}

}  // namespace

void add_resize(Operators& operators) {
  operators["Resize"] = compute;
  operators["Upsample"] = compute;
  operators["GridSample"] = grid_sample;
}

}  // namespace inn::onnx::reading
