// Operators that take one number of many along axes, or that mix along one.

#include <algorithm>

#include "rules/rules.h"

namespace inn::rules {

std::vector<int64_t> reduced_axes(const RuleContext& context, const std::string& name, size_t rank) {
  std::vector<int64_t> reduced;
  for (const auto axis : context.integers(name)) reduced.push_back(context.normalize(axis, rank));
  if (reduced.empty())
    for (size_t d = 0; d < rank; ++d) reduced.push_back(static_cast<int64_t>(d));
  return reduced;
}

namespace {

/// `sums`: the axes are summed over, so that their quadrature belongs into what is summed. A mean or a norm
/// by which another is divided has weights of its own.
void reduce(RuleContext& context, bool sums) {
  const auto name = context.tensor_arguments().at(0);
  const Axes axes = context.axes(name);
  const auto dims = reduced_axes(context, "dim", axes.size());
  const bool keep = context.flag("keepdim");
  Axes result;
  std::vector<int64_t> from;
  for (size_t d = 0; d < axes.size(); ++d) {
    const auto axis = static_cast<int64_t>(d);
    const bool reduced = std::find(dims.begin(), dims.end(), axis) != dims.end();
    if (reduced && sums) context.consume(name, axis);
    if (reduced && !keep) continue;
    result.push_back(reduced ? Axis::of_constant(1) : axes[d]);
    from.push_back(reduced ? -1 : axis);
  }
  for (size_t r = 0; r < context.result_count(); ++r) {
    context.set_result(result, r);
    if (!sums && context.call().op != "aten::mean") continue;
    for (size_t d = 0; d < from.size(); ++d)
      if (from[d] >= 0) context.propagate_scale(name, from[d], static_cast<int64_t>(d), r);
  }
}

/// What lies along the axis is told apart by position: a cumulative sum, a flip.
void ordered(RuleContext& context) {
  same_axes(context);
  const auto name = context.tensor_arguments().at(0);
  const Axes axes = context.axes(name);
  for (const auto* argument : {"dim", "dims"}) {
    if (!context.has(argument)) continue;
    for (const auto axis : context.integers(argument))
      context.pin(axes.at(context.normalize(axis, axes.size())),
                  context.site() + " treats its positions differently");
  }
}

}  // namespace

void add_reduction(RuleTable& table) {
  table.add({"aten::mean",      "aten::amax",
             "aten::amin",      "aten::var",
             "aten::std",       "aten::var_mean",
             "aten::std_mean",  "aten::prod",
             "aten::logsumexp", "aten::linalg_vector_norm",
             "aten::norm",      "aten::all",
             "aten::any",       "aten::max",
             "aten::min",       "aten::median",
             "aten::nanmedian", "aten::count_nonzero",
             "aten::nanmean",   "aten::aminmax"},
            "result = self without the axes `dim`, over which it is a mean, a norm or an extremum",
            [](RuleContext& context) { reduce(context, false); });
  table.add({"aten::sum", "aten::nansum"}, "result = self without the axes `dim`, which are consumed",
            [](RuleContext& context) { reduce(context, true); });
  table.add({"aten::softmax", "aten::_softmax", "aten::log_softmax", "aten::_log_softmax", "aten::softmin"},
            "result = self, normalized over `dim`, which can still be permuted and resized", like_first);
  table.add({"aten::cumsum", "aten::cumprod", "aten::logcumsumexp", "aten::flip", "aten::roll"},
            "result = self; `dim` is positional", ordered);
}

}  // namespace inn::rules
