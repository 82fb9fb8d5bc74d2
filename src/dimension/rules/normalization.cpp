// Batch, instance, layer, group and root-mean-square normalization.

#include "inn/network/batch_norm.h"
#include "rules/rules.h"

namespace inn::rules {
namespace {

void per_channel(RuleContext& context) {
  const TensorAxes input = context.axes("input");
  for (const auto* name : {"weight", "bias", "running_mean", "running_var"})
    if (context.is_tensor(name)) context.unify(context.axes(name).at(0), input.at(1));
  if (context.is_tensor("running_var")) context.clamp_to_source_range("running_var");
  context.set_result(input);
  for (size_t d = 0; d < input.size(); ++d)
    if (d != 1) context.normalize_over("input", static_cast<int64_t>(d));
  // Saved statistics: [c], or [0] in evaluation mode.
  for (size_t r = 1; r < context.result_count(); ++r) {
    TensorAxes saved;
    for (const auto size : context.result_sizes(r))
      saved.push_back(size == input.at(1).size ? input[1] : AxisStructure::of_constant(size));
    context.set_result(saved, r);
  }
  if (context.is_tensor("weight")) return propagate_layer_scale(context, 0, 1);
  // For a standardized weight: a sum over the result is a sum over the weight.
  for (size_t d = 0; context.is_of_parameters("input") && d < input.size(); ++d)
    context.propagate_scale("input", static_cast<int64_t>(d), static_cast<int64_t>(d));
}

void per_shape(RuleContext& context) {
  const TensorAxes input = context.axes("input");
  const size_t count = context.list_size("normalized_shape");
  for (size_t k = 0; k < count; ++k) {
    const AxisStructure& axis = input.at(input.size() - count + k);
    context.normalize_over("input", static_cast<int64_t>(input.size() - count + k));
    context.follow("normalized_shape", axis, k);
    for (const auto* name : {"weight", "bias"})
      if (context.is_tensor(name)) context.unify(context.axes(name).at(k), axis);
  }
  context.set_result(input);
  for (size_t k = 0; context.is_tensor("weight") && k < count; ++k)
    propagate_layer_scale(context, static_cast<int64_t>(k), static_cast<int64_t>(input.size() - count + k));
}

void per_group(RuleContext& context) {
  const TensorAxes input = context.axes("input");
  const int64_t groups = context.integer("num_groups");
  if (groups > 1) {
    const AxisStructure outer = context.fresh(groups), inner = context.fresh(input.at(1).size / groups);
    context.unify(input[1], AxisStructure::of_product({outer, inner}));
    context.follow("num_groups", outer);
  }
  for (const auto* name : {"weight", "bias"})
    if (context.is_tensor(name)) context.unify(context.axes(name).at(0), input[1]);
  context.set_result(input);
  for (size_t d = 1; d < input.size(); ++d) context.normalize_over("input", static_cast<int64_t>(d));
  if (context.is_tensor("weight")) propagate_layer_scale(context, 0, 1);
}

/// g·v/‖v‖: v [o, i, …], g [o, 1, …].
void weight_norm(RuleContext& context) {
  const TensorAxes v = context.axes("v"), g = context.axes("g");
  for (size_t d = 0; d < g.size(); ++d)
    if (!g[d].is_constant()) context.unify(g[d], v.at(d));
  for (size_t r = 0; r < context.result_count(); ++r) context.set_result(r == 0 ? v : g, r);
  for (size_t d = 0; d < v.size(); ++d) {
    const bool scaled_by_g = d < g.size() && !g[d].is_constant();
    if (!scaled_by_g) context.normalize_over("v", static_cast<int64_t>(d));
    context.propagate_scale(scaled_by_g ? "g" : "v", static_cast<int64_t>(d), static_cast<int64_t>(d));
  }
}

}  // namespace

void add_normalization(RuleTable& table) {
  auto channel_norms = batch_norm_operators();
  channel_norms.emplace_back("aten::instance_norm");
  table.add(channel_norms, "result = input [n, c, …]; weight, bias, running_mean, running_var [c]",
            per_channel);
  table.add({"aten::layer_norm", "aten::rms_norm"},
            "result = input […, normalized_shape]; weight and bias have the axes of normalized_shape",
            per_shape);
  table.add({"aten::_weight_norm", "aten::_weight_norm_interface"},
            "result = v, normalized over all axes but dim; g has v's axis dim", weight_norm);
  table.add({"aten::group_norm"}, "result = input [n, num_groups·c, …]; weight and bias [num_groups·c]",
            per_group);
}

}  // namespace inn::rules
