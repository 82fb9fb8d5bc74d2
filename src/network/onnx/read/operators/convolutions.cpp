// Convolutions and poolings: windows over the spatial axes.

#include "operators.h"

namespace inn::onnx::reading {

Windows windows_of(const NodeView& node, at::IntArrayRef sizes, std::vector<int64_t> kernel) {
  node.require_that(sizes.size() >= 3 && sizes.size() <= 5, fmt::format("an input of {} axes", sizes.size()));
  const auto count = sizes.size() - 2;
  Windows windows;
  const auto given = node.attributes("kernel_shape", kernel);
  node.require_that(given.size() == count && (kernel.empty() || given == kernel),
                    "kernel_shape does not fit the input and the weight");
  windows.kernel = given;
  const auto positive = [&](const char* name) {
    auto numbers = node.attributes(name, std::vector<int64_t>(count, 1));
    node.require_that(numbers.size() == count &&
                          std::all_of(numbers.begin(), numbers.end(), [](auto each) { return each >= 1; }),
                      fmt::format("'{}' must be {} positive numbers", name, count));
    return numbers;
  };
  node.require_that(std::all_of(given.begin(), given.end(), [](auto each) { return each >= 1; }),
                    "an empty window");
  windows.strides = positive("strides");
  windows.dilations = positive("dilations");
  const auto pads = node.attributes("pads", std::vector<int64_t>(2 * count, 0));
  node.require_that(pads.size() == 2 * count, fmt::format("'pads' must be {} numbers", 2 * count));
  windows.begin.assign(pads.begin(), pads.begin() + static_cast<int64_t>(count));
  windows.end.assign(pads.begin() + static_cast<int64_t>(count), pads.end());
  const auto how = node.text("auto_pad", "NOTSET");
  if (how == "SAME_UPPER" || how == "SAME_LOWER") {
    for (size_t i = 0; i < count; ++i) {
      const auto size = sizes[i + 2], stride = windows.strides[i];
      const auto span = (windows.kernel[i] - 1) * windows.dilations[i] + 1;
      const auto total = std::max<int64_t>(0, ((size + stride - 1) / stride - 1) * stride + span - size);
      windows.begin[i] = how == "SAME_UPPER" ? total / 2 : total - total / 2;
      windows.end[i] = total - windows.begin[i];
    }
  } else {
    node.require_that(how == "NOTSET" || how == "VALID" || how.empty(),
                      fmt::format("unknown auto_pad '{}'", how));
    if (how == "VALID") windows.begin = windows.end = std::vector<int64_t>(count, 0);
  }
  return windows;
}

at::Tensor padded(const at::Tensor& input, const Windows& windows, double value) {
  std::vector<int64_t> pads;  // the last axis first
  for (size_t i = windows.begin.size(); i-- > 0;) {
    pads.push_back(windows.begin[i]);
    pads.push_back(windows.end[i]);
  }
  return at::constant_pad_nd(input, pads, value);
}

namespace {

Tensors convolution(NodeView& node) {
  auto x = node.tensor(0);
  const auto weight = node.tensor(1), bias = node.optional_tensor(2);
  node.require_that(weight.dim() == x.dim(), "the weight's axes do not fit the input's");
  auto windows = windows_of(node, x.sizes(), weight.sizes().slice(2).vec());
  const auto groups = node.attribute("group", 1);
  node.require_that(groups >= 1, "'group' must be positive");
  if (!windows.is_symmetric()) {
    x = padded(x, windows, 0);
    windows.begin.assign(windows.begin.size(), 0);
  }
  switch (x.dim()) {
    case 3:
      return {at::conv1d(x, weight, bias, windows.strides, windows.begin, windows.dilations, groups)};
    case 4:
      return {at::conv2d(x, weight, bias, windows.strides, windows.begin, windows.dilations, groups)};
    default:
      return {at::conv3d(x, weight, bias, windows.strides, windows.begin, windows.dilations, groups)};
  }
}

Tensors transposed_convolution(NodeView& node) {
  const auto x = node.tensor(0), weight = node.tensor(1), bias = node.optional_tensor(2);
  node.require_that(weight.dim() == x.dim(), "the weight's axes do not fit the input's");
  auto windows = windows_of(node, x.sizes(), weight.sizes().slice(2).vec());
  const auto count = windows.kernel.size();
  const auto groups = node.attribute("group", 1);
  node.require_that(groups >= 1, "'group' must be positive");
  auto extra = node.attributes("output_padding", std::vector<int64_t>(count, 0));
  node.require_that(extra.size() == count, "'output_padding' does not fit the input");
  const auto how = node.text("auto_pad", "NOTSET");
  auto wanted = node.attributes("output_shape");
  node.require_that(wanted.empty() || wanted.size() == count, "'output_shape' does not fit the input");
  for (size_t i = 0; i < count; ++i) {
    const auto full = windows.strides[i] * (x.size(static_cast<int64_t>(i) + 2) - 1) + extra[i] +
                      (windows.kernel[i] - 1) * windows.dilations[i] + 1;
    if (!wanted.empty() || how.starts_with("SAME")) {
      const auto size = wanted.empty() ? x.size(static_cast<int64_t>(i) + 2) * windows.strides[i] : wanted[i];
      const auto total = std::max<int64_t>(0, full - size);
      extra[i] += std::max<int64_t>(0, size - full);
      windows.begin[i] = how == "SAME_UPPER" ? total - total / 2 : total / 2;
      windows.end[i] = total - windows.begin[i];
      if (how == "SAME_UPPER") std::swap(windows.begin[i], windows.end[i]);
    }
    // A smaller padding at the end is a larger output.
    extra[i] += windows.begin[i] - windows.end[i];
    node.require_that(extra[i] >= 0 && extra[i] < std::max(windows.strides[i], windows.dilations[i]),
                      "paddings that are larger at the end are not supported");
  }
  switch (x.dim()) {
    case 3:
      return {at::conv_transpose1d(x, weight, bias, windows.strides, windows.begin, extra, groups,
                                   windows.dilations)};
    case 4:
      return {at::conv_transpose2d(x, weight, bias, windows.strides, windows.begin, extra, groups,
                                   windows.dilations)};
    default:
      return {at::conv_transpose3d(x, weight, bias, windows.strides, windows.begin, extra, groups,
                                   windows.dilations)};
  }
}

/// Whether torch takes the paddings: equal at both ends, and at most half of the window.
bool fits(const Windows& windows) {
  bool result = windows.is_symmetric();
  for (size_t i = 0; i < windows.kernel.size(); ++i)
    result = result && 2 * windows.begin[i] <= windows.kernel[i];
  return result;
}

Tensors max_pool(NodeView& node) {
  node.ignore({"storage_order"});  // of the indices
  auto x = node.tensor(0);
  auto windows = windows_of(node, x.sizes());
  if (!fits(windows)) {
    x = padded(x, windows, -std::numeric_limits<double>::infinity());
    windows.begin.assign(windows.begin.size(), 0);
  }
  const bool ceil = node.attribute("ceil_mode", 0) != 0;
  switch (x.dim()) {
    case 3:
      return {at::max_pool1d(x, windows.kernel, windows.strides, windows.begin, windows.dilations, ceil)};
    case 4:
      return {at::max_pool2d(x, windows.kernel, windows.strides, windows.begin, windows.dilations, ceil)};
    default:
      return {at::max_pool3d(x, windows.kernel, windows.strides, windows.begin, windows.dilations, ceil)};
  }
}

Tensors average_pool(NodeView& node) {
  auto x = node.tensor(0);
  auto windows = windows_of(node, x.sizes());
  bool counts_padding = node.attribute("count_include_pad", 0) != 0;
  node.require_that(windows.dilations == std::vector<int64_t>(windows.kernel.size(), 1),
                    "dilations are not supported");
  const bool ceil = node.attribute("ceil_mode", 0) != 0;
  if (!fits(windows)) {
    node.require_that(counts_padding && !ceil,
                      "paddings that differ at both ends are not supported unless they are counted");
    x = padded(x, windows, 0);
    windows.begin.assign(windows.begin.size(), 0);
  }
  switch (x.dim()) {
    case 3:
      return {at::avg_pool1d(x, windows.kernel, windows.strides, windows.begin, ceil, counts_padding)};
    case 4:
      return {at::avg_pool2d(x, windows.kernel, windows.strides, windows.begin, ceil, counts_padding)};
    default:
      return {at::avg_pool3d(x, windows.kernel, windows.strides, windows.begin, ceil, counts_padding)};
  }
}

/// The axes after the second.
std::vector<int64_t> spatial_axes(NodeView& node, const at::Tensor& x) {
  node.require_that(x.dim() >= 3, "an input without spatial axes");
  std::vector<int64_t> axes;
  for (int64_t axis = 2; axis < x.dim(); ++axis) axes.push_back(axis);
  return axes;
}

}  // namespace

void add_convolutions(Operators& operators) {
  operators["Conv"] = convolution;
  operators["ConvTranspose"] = transposed_convolution;
  operators["MaxPool"] = max_pool;
  operators["AveragePool"] = average_pool;
  operators["GlobalAveragePool"] = [](NodeView& node) -> Tensors {
    const auto x = node.tensor(0);
    const auto axes = spatial_axes(node, x);
    return {x.dim() == 4 ? at::adaptive_avg_pool2d(x, {1, 1}) : at::mean(x, axes, true)};
  };
  operators["GlobalMaxPool"] = [](NodeView& node) -> Tensors {
    const auto x = node.tensor(0);
    return {at::amax(x, spatial_axes(node, x), true)};
  };
}

}  // namespace inn::onnx::reading
