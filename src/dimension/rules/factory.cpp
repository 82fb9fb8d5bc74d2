// Operators that create tensors from sizes.

#include "rules/rules.h"

namespace inn::rules {
namespace {

void fill_sizes(RuleContext& context) {
  TensorAxes result;
  for (size_t k = 0; k < context.result_sizes().size(); ++k)
    result.push_back(context.size_argument("size", context.result_sizes()[k], k));
  context.set_result(result);
}

void count_up(RuleContext& context) {
  const int64_t size = context.result_sizes().at(0);
  const bool plain = context.call().overload.empty() || context.call().overload == "default";
  const AxisStructure axis = plain ? context.size_argument("end", size) : context.fresh(size);
  context.fix(axis);
  context.set_result({axis});
}

/// Numbers that are determined by their position.
void new_positions(RuleContext& context) {
  TensorAxes result;
  for (const auto size : context.result_sizes()) result.push_back(context.positions(size));
  context.set_result(result);
}

/// Each vector along its own axis, the same axes for all results.
void span_grid(RuleContext& context) {
  TensorAxes axes;
  for (const auto& vector : context.list_axes("tensors"))
    axes.push_back(vector.empty() ? AxisStructure::of_constant(1) : vector[0]);
  if (context.text("indexing", "ij") == "xy" && axes.size() > 1) std::swap(axes[0], axes[1]);
  for (size_t r = 0; r < context.result_count(); ++r) context.set_result(axes, r);
}

/// Keeps one side of the diagonal: rows and columns are distinguished.
void triangle(RuleContext& context) {
  const TensorAxes self = context.axes("self");
  for (size_t d = self.size() - 2; d < self.size(); ++d)
    context.pin(self[d], context.site() + " treats its positions differently");
  context.set_result(self);
}

}  // namespace

void add_factory(RuleTable& table) {
  table.add({"aten::zeros", "aten::ones", "aten::empty", "aten::full", "aten::rand", "aten::randn",
             "aten::new_zeros", "aten::new_ones", "aten::new_empty", "aten::new_full"},
            "the result's axes have the given sizes", fill_sizes);
  table.add({"aten::zeros_like", "aten::ones_like", "aten::empty_like", "aten::full_like", "aten::rand_like",
             "aten::randn_like"},
            "result = self", like_first);
  table.add({"aten::arange"}, "the result's axes are positional", count_up);
  table.add({"aten::linspace", "aten::logspace", "aten::eye", "aten::randint", "aten::randperm"},
            "the result's axes are positional", new_positions);
  table.add({"aten::meshgrid"}, "one axis per vector, in all results", span_grid);
  table.add({"aten::tril", "aten::triu"}, "result = self; the last two axes are positional", triangle);
  table.add({"aten::scalar_tensor"}, "a number", [](RuleContext& context) { context.set_result({}); });
}

}  // namespace inn::rules
