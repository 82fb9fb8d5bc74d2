// Pooling, interpolation, and padding of images: windows along the spatial axes.

#include "rules/rules.h"

namespace inn::rules {
namespace {

/// The number of trailing axes that the operator works on: the digit in its name.
size_t spatial_count(const std::string& op) {
  for (const auto* digit : {"1d", "2d", "3d"})
    if (op.find(digit) != std::string::npos) return static_cast<size_t>(digit[0] - '0');
  return 2;
}

void pool(RuleContext& context) {
  const auto name = context.tensor_arguments().at(0);
  const TensorAxes input = context.axes(name);
  const size_t count = spatial_count(context.call().op);
  for (size_t r = 0; r < context.result_count(); ++r) {
    TensorAxes result(input.begin(), input.end() - static_cast<int64_t>(count));
    for (size_t d = result.size(); d < input.size(); ++d) {
      context.pin(input[d], context.site() + " slides a window along it");
      const int64_t size = context.result_sizes(r).at(d);
      result.push_back(input[d].is_constant() ? AxisStructure::of_constant(size) : context.positions(size));
    }
    context.set_result(std::move(result), r);
  }
}

void pool_to_size(RuleContext& context) {
  const auto name = context.tensor_arguments().at(0);
  const TensorAxes input = context.axes(name);
  const size_t count = spatial_count(context.call().op), first = input.size() - count;
  const auto target = context.integers("output_size");
  for (size_t r = 0; r < context.result_count(); ++r) {
    TensorAxes result(input.begin(), input.begin() + static_cast<int64_t>(first));
    for (size_t k = 0; k < count; ++k) {
      context.pin(input[first + k], context.site() + " pools it");
      const int64_t size = context.result_sizes(r).at(first + k);
      const bool burned = target.size() > k && target[k] == size;
      result.push_back(burned ? AxisStructure::of_constant(size) : context.positions(size));
    }
    context.set_result(std::move(result), r);
  }
}

void interpolate(RuleContext& context) {
  const auto name = context.tensor_arguments().at(0);
  const TensorAxes input = context.axes(name);
  const size_t first = 2;
  TensorAxes result(input.begin(), input.begin() + first);
  for (size_t d = first; d < input.size(); ++d) {
    const int64_t size = context.result_sizes().at(d);
    context.pin(input[d], context.site() + " interpolates along it");
    const AxisStructure axis = context.has("output_size")
                                   ? context.size_argument("output_size", size, d - first)
                                   : context.fresh(size);
    context.fix(axis);
    result.push_back(axis);
  }
  context.set_result(result);
}

/// input [n, c, …] at the coordinates in grid [n, …, axes].
void sample_grid(RuleContext& context) {
  const TensorAxes input = context.axes("input"), grid = context.axes("grid");
  for (size_t d = 2; d < input.size(); ++d) context.pin(input[d], context.site() + " samples along it");
  context.pin(grid.back(), context.site() + " reads coordinates from it");
  context.unify(input.at(0), grid.at(0));
  TensorAxes result(input.begin(), input.begin() + 2);
  result.insert(result.end(), grid.begin() + 1, grid.end() - 1);
  context.set_result(result);
}

}  // namespace

void add_pooling(RuleTable& table) {
  table.add({"aten::max_pool1d", "aten::max_pool2d", "aten::max_pool3d", "aten::avg_pool1d",
             "aten::avg_pool2d", "aten::avg_pool3d", "aten::lp_pool2d", "aten::max_pool2d_with_indices",
             "aten::max_pool1d_with_indices", "aten::max_pool3d_with_indices"},
            "result [n, c, windows…] of input [n, c, …]", pool);
  table.add({"aten::adaptive_avg_pool1d", "aten::adaptive_avg_pool2d", "aten::adaptive_avg_pool3d",
             "aten::adaptive_max_pool1d", "aten::adaptive_max_pool2d", "aten::adaptive_max_pool3d",
             "aten::_adaptive_avg_pool2d", "aten::_adaptive_avg_pool3d"},
            "result [n, c, output_size] of input [n, c, …]", pool_to_size);
  table.add({"aten::grid_sampler", "aten::grid_sampler_2d", "aten::grid_sampler_3d"},
            "result [n, c, places…] of input [n, c, …] and grid [n, places…, coordinates]", sample_grid);
  table.add({"aten::upsample_nearest1d", "aten::upsample_nearest2d", "aten::upsample_nearest3d",
             "aten::upsample_linear1d", "aten::upsample_bilinear2d", "aten::upsample_bicubic2d",
             "aten::upsample_trilinear3d", "aten::_upsample_nearest_exact2d", "aten::_upsample_bicubic2d_aa",
             "aten::_upsample_bilinear2d_aa"},
            "result [n, c, output_size] of input [n, c, …]", interpolate);
}

}  // namespace inn::rules
