// Operators that act on each element by itself, with broadcasting.

#include "dimension/rules/rules.h"

namespace inn::rules {

void broadcast(RuleContext& context) {
  const auto names = context.tensor_arguments();
  const size_t rank = context.result_sizes().size();
  Axes result;
  for (size_t d = 0; d < rank; ++d) {
    const int64_t size = context.result_sizes()[d];
    std::optional<Axis> common;
    for (const auto& name : names) {
      const Axes axes = context.axes(name);
      if (d + axes.size() < rank) continue;
      const Axis& axis = axes[d + axes.size() - rank];
      // A constant 1 stretches to whatever the others are; a batch of 1 is a variable and is one with theirs.
      if (axis.size != size || (axis.is_constant() && size == 1)) continue;
      if (common) context.unify(*common, axis);
      if (!common || common->is_constant()) common = axis;
    }
    result.push_back(common.value_or(Axis::of_constant(size)));
  }
  for (size_t r = 0; r < context.result_count(); ++r) {
    context.set_result(result, r);
    for (const auto& name : names) {
      const auto own = static_cast<int64_t>(context.axes(name).size()), all = static_cast<int64_t>(rank);
      for (int64_t d = 0; d < own; ++d) context.carry(name, d, d + all - own, r);
    }
  }
}

void same_axes(RuleContext& context) {
  const auto name = context.tensor_arguments().at(0);
  const Axes axes = context.axes(name);
  for (size_t r = 0; r < context.result_count(); ++r) {
    context.set_result(axes, r);
    for (size_t d = 0; d < axes.size(); ++d)
      context.carry(name, static_cast<int64_t>(d), static_cast<int64_t>(d), r);
  }
}

void add_elementwise(RuleTable& table) {
  table.add(
      {"aten::relu",        "aten::relu6",       "aten::gelu",        "aten::silu",        "aten::mish",
       "aten::sigmoid",     "aten::hardsigmoid", "aten::hardswish",   "aten::hardtanh",    "aten::leaky_relu",
       "aten::elu",         "aten::celu",        "aten::selu",        "aten::softplus",    "aten::softsign",
       "aten::tanh",        "aten::tanhshrink",  "aten::hardshrink",  "aten::softshrink",  "aten::threshold",
       "aten::log_sigmoid", "aten::rrelu",       "aten::exp",         "aten::exp2",        "aten::expm1",
       "aten::log",         "aten::log2",        "aten::log10",       "aten::log1p",       "aten::sqrt",
       "aten::rsqrt",       "aten::square",      "aten::reciprocal",  "aten::abs",         "aten::neg",
       "aten::sign",        "aten::sin",         "aten::cos",         "aten::tan",         "aten::atan",
       "aten::asin",        "aten::acos",        "aten::sinh",        "aten::cosh",        "aten::erf",
       "aten::erfc",        "aten::erfinv",      "aten::lgamma",      "aten::digamma",     "aten::floor",
       "aten::ceil",        "aten::round",       "aten::trunc",       "aten::frac",        "aten::isnan",
       "aten::isinf",       "aten::isfinite",    "aten::logical_not", "aten::bitwise_not", "aten::nan_to_num",
       "aten::sgn",         "aten::positive",    "aten::logit",       "aten::clip"},
      "result = self, element by element", broadcast);
  table.add(
      {"aten::add",         "aten::sub",        "aten::mul",          "aten::div",         "aten::rsub",
       "aten::pow",         "aten::maximum",    "aten::minimum",      "aten::fmax",        "aten::fmin",
       "aten::remainder",   "aten::fmod",       "aten::floor_divide", "aten::atan2",       "aten::eq",
       "aten::ne",          "aten::lt",         "aten::le",           "aten::gt",          "aten::ge",
       "aten::logical_and", "aten::logical_or", "aten::logical_xor",  "aten::bitwise_and", "aten::bitwise_or",
       "aten::bitwise_xor", "aten::__and__",    "aten::__or__",       "aten::__xor__",     "aten::min.other",
       "aten::max.other",   "aten::xlogy",      "aten::hypot",        "aten::true_divide", "aten::multiply",
       "aten::subtract",    "aten::divide",     "aten::copysign"},
      "result = self ∘ other, axes equal under broadcasting", broadcast);
  table.add(
      {"aten::where", "aten::addcmul", "aten::addcdiv", "aten::lerp", "aten::clamp", "aten::clamp_min",
       "aten::clamp_max", "aten::masked_fill", "aten::copy_", "aten::fill_", "aten::zero_", "aten::fill"},
      "result = all tensor arguments, axes equal under broadcasting", broadcast);
  table.add({"aten::dropout", "aten::dropout_", "aten::alpha_dropout", "aten::feature_dropout",
             "aten::feature_alpha_dropout", "aten::native_dropout", "aten::bernoulli"},
            "result = input, axis by axis", same_axes);
  table.add({"aten::contiguous", "aten::clone", "aten::detach", "aten::alias", "aten::to", "aten::type_as",
             "aten::lift_fresh_copy", "aten::lift_fresh", "aten::_to_copy", "aten::float", "aten::half",
             "aten::view_as_real_copy", "aten::requires_grad_"},
            "result = self, axis by axis; a view or copy of a parameter stays one", same_axes);
}

}  // namespace inn::rules
