// Elementwise operators, with broadcasting.

#include <algorithm>

#include "rules/rules.h"

namespace inn::rules {

namespace {

/// Axis `to` of the result is axis d of each of these arguments, under broadcasting: (name, d) of those that
/// have more than one element there.
std::vector<RuleContext::Place> spanning(const RuleContext& context, size_t to) {
  std::vector<RuleContext::Place> found;
  const size_t rank = context.result_sizes().size();
  for (const auto& name : context.tensor_arguments()) {
    const TensorAxes axes = context.axes(name);
    if (to + axes.size() < rank) continue;
    const size_t d = to + axes.size() - rank;
    if (axes[d].size == context.result_sizes()[to] && !axes[d].is_constant())
      found.push_back({name, static_cast<int64_t>(d)});
  }
  return found;
}

}  // namespace

void stretch(RuleContext& context, const AxisStructure& axis, int64_t size) {
  if (axis.size == 1 && size > 1) context.pin(axis, context.site() + " broadcasts it from size 1");
}

void broadcast(RuleContext& context) {
  const auto names = context.tensor_arguments();
  const size_t rank = context.result_sizes().size();
  TensorAxes result;
  for (size_t d = 0; d < rank; ++d) {
    const int64_t size = context.result_sizes()[d];
    std::optional<AxisStructure> common;
    for (const auto& name : names) {
      const TensorAxes axes = context.axes(name);
      if (d + axes.size() < rank) continue;
      const AxisStructure& axis = axes[d + axes.size() - rank];
      stretch(context, axis, size);
      // A constant 1 broadcasts to the others' size; a batch of 1 is a variable and is equated with theirs.
      if (axis.size != size || (axis.is_constant() && size == 1)) continue;
      if (common) context.unify(*common, axis);
      if (!common || common->is_constant()) common = axis;
    }
    result.push_back(common.value_or(AxisStructure::of_constant(size)));
  }
  for (size_t r = 0; r < context.result_count(); ++r) context.set_result(result, r);
}

namespace {

/// a + b: the result is scaled where all terms are.
void add_terms(RuleContext& context) {
  broadcast(context);
  for (size_t to = 0; to < context.result_sizes().size(); ++to) {
    const auto terms = spanning(context, to);
    if (terms.size() == context.tensor_arguments().size())
      context.propagate_scales(terms, static_cast<int64_t>(to));
  }
}

/// a · b: the result is scaled where one factor is. If one holds the weights of a softmax, so does the
/// product.
void multiply_factors(RuleContext& context) {
  broadcast(context);
  for (size_t to = 0; to < context.result_sizes().size(); ++to) {
    const auto factors = spanning(context, to);
    const auto first_where = [&](const auto& holds) {
      return std::find_if(factors.begin(), factors.end(),
                          [&](const auto& factor) { return holds(factor.name, factor.axis); });
    };
    auto scaled = first_where([&](const auto& name, auto d) { return context.is_softmax(name, d); });
    if (scaled == factors.end())
      scaled = first_where([&](const auto& name, auto d) { return context.has_scale_source(name, d); });
    if (scaled != factors.end())
      context.propagate_scale(scaled->name, scaled->axis, static_cast<int64_t>(to));
  }
}

/// The result is scaled where the argument `name` is.
void scale_with(RuleContext& context, const std::string& name) {
  broadcast(context);
  for (size_t to = 0; to < context.result_sizes().size(); ++to)
    for (const auto& place : spanning(context, to))
      if (place.name == name) context.propagate_scale(name, place.axis, static_cast<int64_t>(to));
}

}  // namespace

void like_first(RuleContext& context) {
  const TensorAxes axes = context.axes(context.tensor_arguments().at(0));
  for (size_t r = 0; r < context.result_count(); ++r) context.set_result(axes, r);
}

void same_axes(RuleContext& context) {
  like_first(context);
  const auto name = context.tensor_arguments().at(0);
  for (size_t r = 0; r < context.result_count(); ++r)
    for (size_t d = 0; d < context.axes(name).size(); ++d)
      context.propagate_scale(name, static_cast<int64_t>(d), static_cast<int64_t>(d), r);
}

void add_elementwise(RuleTable& table) {
  table.add(
      {"aten::relu",       "aten::relu6",       "aten::gelu",        "aten::silu",        "aten::mish",
       "aten::sigmoid",    "aten::hardsigmoid", "aten::hardswish",   "aten::hardtanh",    "aten::leaky_relu",
       "aten::elu",        "aten::celu",        "aten::selu",        "aten::softplus",    "aten::tanh",
       "aten::hardshrink", "aten::softshrink",  "aten::threshold",   "aten::log_sigmoid", "aten::rrelu",
       "aten::exp",        "aten::exp2",        "aten::expm1",       "aten::log",         "aten::log2",
       "aten::log10",      "aten::log1p",       "aten::sqrt",        "aten::rsqrt",       "aten::square",
       "aten::reciprocal", "aten::abs",         "aten::sign",        "aten::sin",         "aten::cos",
       "aten::tan",        "aten::atan",        "aten::asin",        "aten::acos",        "aten::sinh",
       "aten::cosh",       "aten::atanh",       "aten::asinh",       "aten::acosh",       "aten::erf",
       "aten::erfc",       "aten::erfinv",      "aten::lgamma",      "aten::digamma",     "aten::floor",
       "aten::ceil",       "aten::round",       "aten::trunc",       "aten::frac",        "aten::isnan",
       "aten::isinf",      "aten::isfinite",    "aten::logical_not", "aten::bitwise_not", "aten::nan_to_num",
       "aten::sgn",        "aten::logit",       "aten::clip",        "aten::sinc",        "aten::i0",
       "aten::deg2rad",    "aten::rad2deg",     "aten::signbit"},
      "result = f(self) elementwise", broadcast);
  table.add({"aten::neg", "aten::negative", "aten::positive"}, "result = ±self elementwise",
            [](RuleContext& context) { scale_with(context, "self"); });
  table.add({"aten::add", "aten::sub", "aten::rsub", "aten::subtract"},
            "result = self ± other, axes equal under broadcasting", add_terms);
  table.add({"aten::mul", "aten::multiply"}, "result = self · other, axes equal under broadcasting",
            multiply_factors);
  table.add({"aten::div", "aten::true_divide", "aten::divide"},
            "result = self / other, axes equal under broadcasting",
            [](RuleContext& context) { scale_with(context, "self"); });
  table.add({"aten::pow",
             "aten::maximum",
             "aten::minimum",
             "aten::fmax",
             "aten::fmin",
             "aten::remainder",
             "aten::fmod",
             "aten::floor_divide",
             "aten::atan2",
             "aten::arctan2",
             "aten::eq",
             "aten::ne",
             "aten::lt",
             "aten::le",
             "aten::gt",
             "aten::ge",
             "aten::logical_and",
             "aten::logical_or",
             "aten::logical_xor",
             "aten::bitwise_and",
             "aten::bitwise_or",
             "aten::bitwise_xor",
             "aten::__and__",
             "aten::__or__",
             "aten::__xor__",
             "aten::__lshift__",
             "aten::__rshift__",
             "aten::bitwise_left_shift",
             "aten::bitwise_right_shift",
             "aten::min.other",
             "aten::max.other",
             "aten::xlogy",
             "aten::hypot",
             "aten::copysign",
             "aten::float_power",
             "aten::logaddexp",
             "aten::isclose",
             "aten::heaviside"},
            "result = self ∘ other, axes equal under broadcasting", broadcast);
  table.add({"aten::masked_fill"}, "result = self where the mask is false; axes equal under broadcasting",
            [](RuleContext& context) { scale_with(context, "self"); });
  table.add({"aten::copy_", "aten::copy"}, "self gets the values of src; axes equal under broadcasting",
            [](RuleContext& context) { scale_with(context, "src"); });
  table.add({"aten::where", "aten::addcmul", "aten::addcdiv", "aten::lerp", "aten::clamp", "aten::clamp_min",
             "aten::clamp_max", "aten::fill_", "aten::zero_", "aten::fill", "aten::zero", "aten::uniform_",
             "aten::normal_"},
            "result = all tensor arguments, axes equal under broadcasting", broadcast);
  table.add({"aten::prelu"}, "result = self [n, c, …]; one slope, or one per channel: weight [c]",
            [](RuleContext& context) {
              const TensorAxes self = context.axes("self"), weight = context.axes("weight");
              if (!weight.empty() && weight[0].size > 1) context.unify(weight[0], self.at(1));
              context.set_result(self);
            });
  table.add({"aten::dropout", "aten::dropout_", "aten::alpha_dropout", "aten::feature_dropout",
             "aten::feature_alpha_dropout", "aten::native_dropout", "aten::bernoulli"},
            "result = input", same_axes);
  table.add(
      {"aten::contiguous", "aten::clone", "aten::detach", "aten::alias", "aten::to", "aten::type_as",
       "aten::lift_fresh_copy", "aten::lift_fresh", "aten::_to_copy", "aten::float", "aten::half",
       "aten::double", "aten::requires_grad_", "aten::resolve_conj", "aten::resolve_neg", "aten::pin_memory"},
      "result = self; a view or copy of a parameter is still a parameter", same_axes);
}

}  // namespace inn::rules
