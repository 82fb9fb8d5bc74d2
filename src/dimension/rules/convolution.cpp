// Convolutions of one to three dimensions, plain and transposed.

#include <algorithm>

#include "rules/rules.h"

namespace inn::rules {
namespace {

/// The spatial axes of the result: those of the input where the kernel has one tap that takes every position
/// (a 1×1 convolution), a number where the input's is one, else new positions.
void add_spatial(RuleContext& context, const TensorAxes& input, const TensorAxes& weight,
                 TensorAxes& result) {
  const auto strides = context.integers("stride");
  const size_t first = result.size();
  for (size_t d = first; d < input.size(); ++d) {
    const int64_t size = context.result_sizes().at(d);
    const int64_t stride = strides.empty() ? 1 : strides[std::min(d - first, strides.size() - 1)];
    if (weight.at(2 + d - first).size == 1 && stride == 1 && size == input[d].size) {
      result.push_back(input[d]);
      continue;
    }
    context.pin(input[d], context.site() + " slides a window along it");
    result.push_back(input[d].is_constant() ? AxisStructure::of_constant(size) : context.positions(size));
  }
}

}  // namespace

void propagate_layer_scale(RuleContext& context, int64_t axis, int64_t to) {
  std::vector<RuleContext::Place> places{{"weight", axis}};
  if (context.is_tensor("bias")) places.push_back({"bias", context.axes("bias").size() > 1 ? axis : 0});
  context.propagate_scales(places, to);
}

namespace {

void convolve(RuleContext& context) {
  const bool transposed = context.call().op.starts_with("aten::conv_transpose") || context.flag("transposed");
  const TensorAxes input = context.axes("input"), weight = context.axes("weight");
  const size_t channel = input.size() - (weight.size() - 2) - 1;  // 0 for an input without a batch
  const int64_t groups = context.integer("groups", 1);
  const size_t consumed = transposed ? 0 : 1;
  for (size_t d = 2; d < weight.size(); ++d) context.fix("weight", static_cast<int64_t>(d));

  AxisStructure produced;
  if (groups == 1) {
    context.unify(input.at(channel), weight[consumed]);
    context.contract({{"weight", static_cast<int64_t>(consumed)}, {"input", static_cast<int64_t>(channel)}});
    produced = weight[1 - consumed];
  } else {
    // weight [g·o, i] (transposed: [g·i, o]), input [g·i], result [g·o].
    const AxisStructure outer = context.fresh(groups);
    context.follow("groups", outer);
    const auto split = [&](const AxisStructure& axis) {
      const int64_t inner = axis.size / groups;
      return inner == 1 ? AxisStructure::of_constant(1) : context.fresh(inner);
    };
    const AxisStructure o = transposed ? weight[1] : split(weight[0]);
    const AxisStructure i = transposed ? split(weight[0]) : weight[1];
    context.unify(weight[0], AxisStructure::of_product({outer, transposed ? i : o}));
    context.unify(input.at(channel), AxisStructure::of_product({outer, i}));
    if (transposed) {
      context.consume_part("weight", 0, i);
    } else {
      context.consume("weight", 1);
    }
    produced = AxisStructure::of_product({outer, o});
  }
  if (context.is_tensor("bias")) context.unify(context.axes("bias").at(0), produced);

  TensorAxes result(input.begin(), input.begin() + static_cast<int64_t>(channel));
  result.push_back(produced);
  add_spatial(context, input, weight, result);
  context.set_result(result);
  if (!transposed || groups == 1)
    propagate_layer_scale(context, transposed ? 1 : 0, static_cast<int64_t>(channel));
}

}  // namespace

void add_convolution(RuleTable& table) {
  table.add({"aten::conv1d", "aten::conv2d", "aten::conv3d", "aten::conv_transpose1d",
             "aten::conv_transpose2d", "aten::conv_transpose3d", "aten::_convolution", "aten::convolution"},
            "result [n, g·o, …] of input [n, g·i, …] and weight [g·o, i, …] (transposed: [g·i, o, …]); i is "
            "consumed; a spatial axis with kernel size 1 and stride 1 is unchanged",
            convolve);
}

}  // namespace inn::rules
