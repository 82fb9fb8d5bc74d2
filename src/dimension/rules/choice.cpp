// Operators that choose positions along an axis by their values.

#include "rules/rules.h"

namespace inn::rules {
namespace {

/// Reorders the positions along `dim`, or selects some of them.
void order(RuleContext& context) {
  const auto name = context.tensor_arguments().at(0);
  const TensorAxes self = context.axes(name);
  if (self.empty()) return like_first(context);
  const auto along = context.normalize(context.integer("dim", -1), self.size());
  context.pin(self[along], context.site() + " sorts it by value");
  TensorAxes result = self;
  const int64_t size = context.result_sizes().at(along);
  if (size != self[along].size) result[along] = context.positions(size);
  for (size_t r = 0; r < context.result_count(); ++r) context.set_result(result, r);
}

/// Selects one position along `dim`, and returns its index: positions are distinguished only if it is read.
void pick(RuleContext& context) {
  const auto name = context.tensor_arguments().at(0);
  const TensorAxes self = context.axes(name);
  const bool whole = !context.has("dim"), keep = context.flag("keepdim");
  const auto along = whole || self.empty() ? 0 : context.normalize(context.integer("dim"), self.size());
  const bool index_only = context.result_count() == 1;
  TensorAxes result;
  for (int64_t d = 0; d < static_cast<int64_t>(self.size()); ++d) {
    const bool reduced = whole || d == along;
    if (reduced && context.is_read(index_only ? 0 : 1))
      context.pin(self[d], context.site() + " returns positions along it");
    if (!reduced) result.push_back(self[d]);
    if (reduced && keep) result.push_back(AxisStructure::of_constant(1));
  }
  for (size_t r = 0; r < context.result_count(); ++r) context.set_result(result, r);
}

/// The result has new positions, whatever the arguments are.
void other_positions(RuleContext& context) {
  for (const auto& name : context.tensor_arguments())
    for (const auto& axis : context.axes(name))
      context.pin(axis, context.site() + " compares values along it");
  for (size_t r = 0; r < context.result_count(); ++r) {
    TensorAxes result;
    for (const auto size : context.result_sizes(r)) result.push_back(context.positions(size));
    context.set_result(result, r);
  }
}

}  // namespace

void add_choice(RuleTable& table) {
  table.add({"aten::topk", "aten::sort", "aten::argsort", "aten::cummax", "aten::cummin", "aten::diff"},
            "result = self except for `dim`, which is positional", order);
  table.add({"aten::argmax", "aten::argmin", "aten::max.dim", "aten::min.dim", "aten::median.dim",
             "aten::kthvalue", "aten::mode"},
            "result = self without `dim`, which is positional if the index is used", pick);
  table.add({"aten::histc", "aten::bincount", "aten::tril_indices", "aten::triu_indices",
             "aten::searchsorted", "aten::isin"},
            "the result's axes are positional", other_positions);
}

}  // namespace inn::rules
