// Operators that reduce axes, or that mix the elements along one.

#include <algorithm>
#include <cmath>

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

/// How a reduction combines the elements along an axis.
enum class Taken { sum, norm, log_sum, average };

/// The call as a sum over its axis, whose quadrature weights multiply the summands. A mean, a variance or an
/// extreme has its own weights: equal ones, or none.
Taken taken_by(const RuleContext& context) {
  const auto& op = context.call().op;
  if (op == "aten::sum" || op == "aten::nansum") return Taken::sum;
  if (op == "aten::logsumexp") return Taken::log_sum;
  return op == "aten::linalg_vector_norm" || op == "aten::norm" ? Taken::norm : Taken::average;
}

void take_together(RuleContext& context, const std::string& name, int64_t axis, Taken taken) {
  if (taken == Taken::sum) return context.consume(name, axis);
  if (taken == Taken::log_sum) return context.log_sum(name, axis);
  const double power = taken == Taken::norm ? context.number(context.has("ord") ? "ord" : "p", 2) : 0;
  // The norms 0 and ±∞ count and compare, without a sum.
  if (power > 0 && std::isfinite(power)) return context.norm(name, axis, power);
  context.normalize_over(name, axis);
}

void reduce(RuleContext& context) {
  const auto name = context.tensor_arguments().at(0);
  const TensorAxes axes = context.axes(name);
  const auto dims = reduced_axes(context, "dim", axes.size());
  const bool keep = context.flag("keepdim");
  const Taken taken = taken_by(context);
  const bool scales = taken == Taken::sum || context.call().op == "aten::mean";
  TensorAxes result;
  std::vector<int64_t> from;
  for (size_t d = 0; d < axes.size(); ++d) {
    const auto axis = static_cast<int64_t>(d);
    const bool reduced = std::find(dims.begin(), dims.end(), axis) != dims.end();
    if (reduced) take_together(context, name, axis, taken);
    if (reduced && !keep) continue;
    result.push_back(reduced ? AxisStructure::of_constant(1) : axes[d]);
    from.push_back(reduced ? -1 : axis);
  }
  for (size_t r = 0; r < context.result_count(); ++r) {
    context.set_result(result, r);
    if (!scales) continue;
    for (size_t d = 0; d < from.size(); ++d)
      if (from[d] >= 0) context.propagate_scale(name, from[d], static_cast<int64_t>(d), r);
  }
}

/// A softmax over `dim`, or its logarithm.
void normalize_exponentials(RuleContext& context) {
  like_first(context);
  const auto name = context.tensor_arguments().at(0);
  const size_t rank = context.axes(name).size();
  if (rank == 0) return;
  const auto along = context.normalize(context.integer("dim", -1), rank);
  if (context.call().op.ends_with("softmax") && !context.call().op.ends_with("log_softmax")) {
    context.softmax(name, along);
  } else {
    context.normalize_over(name, along);
  }
}

/// Operators that distinguish the positions along the axis: a cumulative sum, a flip.
void ordered(RuleContext& context) {
  same_axes(context);
  const auto name = context.tensor_arguments().at(0);
  const TensorAxes axes = context.axes(name);
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
            "result = self without the axes `dim`, over which it is a mean, a norm or an extremum", reduce);
  table.add({"aten::sum", "aten::nansum"}, "result = self without the axes `dim`, which are consumed",
            reduce);
  table.add(
      {"aten::softmax", "aten::_softmax"},
      "result = self, weights that sum to 1 along `dim`, so that a sum with them gets no quadrature weights",
      normalize_exponentials);
  table.add({"aten::log_softmax", "aten::_log_softmax", "aten::softmin"},
            "result = self, normalized over `dim`, which can still be permuted and resized",
            normalize_exponentials);
  table.add({"aten::cumsum", "aten::cumprod", "aten::logcumsumexp", "aten::flip", "aten::roll"},
            "result = self; `dim` is positional", ordered);
}

}  // namespace inn::rules
