// Matrix products: contracted axes are equal and consumed, the others pass through.

#include <algorithm>
#include <cmath>

#include "rules/rules.h"

namespace inn::rules {
namespace {

void linear(RuleContext& context) {
  const TensorAxes input = context.axes("input"), weight = context.axes("weight");
  const auto last = static_cast<int64_t>(input.size()) - 1;
  context.unify(input.back(), weight.back());
  context.contract({{"weight", static_cast<int64_t>(weight.size()) - 1}, {"input", last}});
  TensorAxes result(input.begin(), input.end() - 1);
  if (weight.size() == 2) result.push_back(weight[0]);
  if (context.is_tensor("bias") && weight.size() == 2 && !context.axes("bias").empty())
    context.unify(context.axes("bias").at(0), weight[0]);
  context.set_result(result);
  for (int64_t d = 0; d < last; ++d) context.propagate_scale("input", d, d);
  if (weight.size() == 2) propagate_layer_scale(context, 0, last);
}

/// Slices of a product along axis `to` are scaled where those of a factor are; where a term is added to it,
/// where those of both are.
void carry_factor(RuleContext& context, const std::string& name, size_t from, size_t to,
                  const std::optional<std::string>& added) {
  const auto axis = static_cast<int64_t>(to);
  if (!added) return context.propagate_scale(name, static_cast<int64_t>(from), axis);
  const TensorAxes term = context.axes(*added);
  const size_t rank = context.result_sizes().size();
  if (to + term.size() < rank) return;
  const size_t own = to + term.size() - rank;
  if (term[own].is_constant() || term[own].size != context.result_sizes()[to]) return;
  context.propagate_scales({{name, static_cast<int64_t>(from)}, {*added, static_cast<int64_t>(own)}}, axis);
}

/// a […, n, k] by b […, k, m] with torch's broadcasting of leading axes and of vectors; `added` is a
/// term that the result is the sum with.
void multiply(RuleContext& context, const std::string& left, const std::string& right,
              const std::optional<std::string>& added = std::nullopt) {
  const TensorAxes a = context.axes(left), b = context.axes(right);
  const size_t inner_b = b.size() == 1 ? 0 : b.size() - 2;
  context.unify(a.back(), b[inner_b]);
  context.contract({{left, static_cast<int64_t>(a.size()) - 1}, {right, static_cast<int64_t>(inner_b)}});
  const size_t batch_a = a.size() < 2 ? 0 : a.size() - 2, batch_b = b.size() < 2 ? 0 : b.size() - 2;
  const size_t batch = std::max(batch_a, batch_b);
  TensorAxes result;
  for (size_t d = 0; d < batch; ++d) {
    const AxisStructure* in_a = d + batch_a >= batch ? &a[d + batch_a - batch] : nullptr;
    const AxisStructure* in_b = d + batch_b >= batch ? &b[d + batch_b - batch] : nullptr;
    if (in_a && in_b && in_a->size == in_b->size && !in_a->is_constant() && !in_b->is_constant())
      context.unify(*in_a, *in_b);
    if (in_a && in_b) {
      stretch(context, *in_a, in_b->size);
      stretch(context, *in_b, in_a->size);
    }
    const bool take_a =
        in_a && (!in_b || in_b->size == 1 || !in_a->is_constant()) && !(in_b && in_a->size < in_b->size);
    result.push_back(take_a ? *in_a : *in_b);
  }
  if (a.size() > 1) {
    carry_factor(context, left, a.size() - 2, result.size(), added);
    result.push_back(a[a.size() - 2]);
  }
  if (b.size() > 1) {
    carry_factor(context, right, b.size() - 1, result.size(), added);
    result.push_back(b.back());
  }
  context.set_result(result);
}

/// Rows in the order of their experts, each by its expert's matrix: self [s, k], mat2 [e, k, n], offs [e] where
/// the experts' rows end. Without offs a product of batches.
void multiply_by_experts(RuleContext& context) {
  const TensorAxes rows = context.axes("self"), experts = context.axes("mat2");
  const bool pairs = context.has("offs") && rows.size() == 2 && experts.size() == 3;
  if (context.is_tensor("bias")) {
    const TensorAxes bias = context.axes("bias");
    context.unify(bias.back(), experts.back());
    if (bias.size() > 1) context.unify(bias.front(), experts.front());
  }
  if (!context.has("offs")) return multiply(context, "self", "mat2");
  for (const auto& axis : context.axes("offs"))
    context.pin(axis, context.site() + " splits rows by its values");
  if (pairs) {
    context.unify(experts[0], context.axes("offs").at(0));
    context.pin(rows[0], context.site() + " uses its positions in the order of experts");
    context.unify(rows[1], experts[1]);
    context.contract({{"mat2", 1}, {"self", 1}});
    context.set_result({rows[0], experts[2]});
    context.propagate_scale("self", 0, 0);
    return context.propagate_scale("mat2", 2, 1);
  }
  // Forms that occur in gradients: pieces of a contracted or of an outer axis.
  for (const auto& axes : {rows, experts})
    for (const auto& axis : axes) context.pin(axis, context.site() + " splits it by given numbers");
  TensorAxes result;
  for (const auto size : context.result_sizes()) result.push_back(context.positions(size));
  context.set_result(result);
}

/// self + a b: self broadcasts against the product […, n, m].
void multiply_and_add(RuleContext& context, const std::string& left, const std::string& right) {
  multiply(context, left, right, "self");
  const TensorAxes self = context.axes("self"), product = context.result_axes();
  for (size_t d = 0; d < self.size() && d < product.size(); ++d) {
    const AxisStructure &own = self[self.size() - 1 - d], &other = product[product.size() - 1 - d];
    if (own.size == other.size && !own.is_constant()) context.unify(own, other);
    stretch(context, own, other.size);
  }
}

/// The axes a and b of two vectors, or of their last axes, side by side.
void outer(RuleContext& context, const std::string& left, const std::string& right) {
  context.set_result({context.axes(left).at(0), context.axes(right).at(0)});
  context.propagate_scale(left, 0, 0);
  context.propagate_scale(right, 0, 1);
}

void bilinear(RuleContext& context) {
  const TensorAxes first = context.axes("input1"), second = context.axes("input2"),
                   weight = context.axes("weight");
  context.unify(first.back(), weight.at(1));
  context.unify(second.back(), weight.at(2));
  context.consume("weight", 1);
  context.consume("weight", 2);
  for (size_t d = 0; d + 1 < first.size(); ++d) context.unify(first[d], second.at(d));
  if (context.is_tensor("bias")) context.unify(context.axes("bias").at(0), weight[0]);
  TensorAxes result(first.begin(), first.end() - 1);
  result.push_back(weight[0]);
  context.set_result(result);
}

/// Distances of all pairs: x1 […, p, d], x2 […, r, d].
void distances(RuleContext& context) {
  const TensorAxes a = context.axes("x1"), b = context.axes("x2");
  context.unify(a.back(), b.back());
  const double power = context.number("p", 2);
  for (const auto* name : {"x1", "x2"})
    if (power > 0 && std::isfinite(power))
      context.norm(name, static_cast<int64_t>(context.axes(name).size()) - 1, power);
  TensorAxes result = a;
  for (size_t d = 0; d + 2 < a.size() && a.size() == b.size(); ++d)
    if (a[d].size == b[d].size) context.unify(a[d], b[d]);
  result.back() = b[b.size() - 2];
  context.set_result(result);
}

void contract(RuleContext& context) {
  const TensorAxes self = context.axes("self"), other = context.axes("other");
  const auto dims_self = context.integers("dims_self"), dims_other = context.integers("dims_other");
  std::vector<bool> gone_self(self.size()), gone_other(other.size());
  for (size_t k = 0; k < dims_self.size(); ++k) {
    const auto a = context.normalize(dims_self[k], self.size());
    const auto b = context.normalize(dims_other.at(k), other.size());
    context.unify(self[a], other[b]);
    context.contract({{"self", a}, {"other", b}});
    gone_self[a] = gone_other[b] = true;
  }
  TensorAxes result;
  for (size_t d = 0; d < self.size(); ++d)
    if (!gone_self[d]) result.push_back(self[d]);
  for (size_t d = 0; d < other.size(); ++d)
    if (!gone_other[d]) result.push_back(other[d]);
  context.set_result(result);
}

}  // namespace

void add_product(RuleTable& table) {
  table.add({"aten::linear"}, "result […, o] = input […, i] · weight [o, i]ᵀ + bias [o]; i is consumed",
            linear);
  table.add({"aten::matmul", "aten::__matmul__"},
            "result […, n, m] = self […, n, k] · other […, k, m]; k is consumed",
            [](RuleContext& context) { multiply(context, "self", "other"); });
  table.add({"aten::mm", "aten::bmm"}, "result […, n, m] = self […, n, k] · mat2 […, k, m]; k is consumed",
            [](RuleContext& context) { multiply(context, "self", "mat2"); });
  table.add({"aten::_grouped_mm"},
            "result [s, n] of self [s, k], rows in the order of experts, mat2 [e, k, n] and offs [e]; k is "
            "consumed, s and e are positional",
            multiply_by_experts);
  table.add({"aten::mv"}, "result [n] = self [n, k] · vec [k]; k is consumed",
            [](RuleContext& context) { multiply(context, "self", "vec"); });
  table.add({"aten::dot", "aten::vdot", "aten::inner"}, "self […, k] · other […, k]; k is consumed",
            [](RuleContext& context) {
              const auto right = context.has("tensor") ? "tensor" : "other";
              const TensorAxes a = context.axes("self"), b = context.axes(right);
              context.unify(a.back(), b.back());
              context.contract({{"self", static_cast<int64_t>(a.size()) - 1},
                                {right, static_cast<int64_t>(b.size()) - 1}});
              TensorAxes result(a.begin(), a.end() - 1);
              result.insert(result.end(), b.begin(), b.end() - 1);
              context.set_result(result);
            });
  table.add({"aten::outer", "aten::ger"}, "result [n, m] of self [n] and vec2 [m]",
            [](RuleContext& context) { outer(context, "self", "vec2"); });
  table.add({"aten::tensordot"},
            "the axes dims_self and dims_other are equal and consumed, the others are unchanged", contract);
  table.add({"aten::bilinear"},
            "result […, o] of input1 […, i], weight [o, i, j], input2 […, j]; i and j are consumed",
            bilinear);
  table.add({"aten::cdist"}, "result […, p, r] of x1 […, p, d] and x2 […, r, d]", distances);
  table.add({"aten::addmm"}, "result [n, m] = self + mat1 [n, k] · mat2 [k, m]; k is consumed",
            [](RuleContext& context) { multiply_and_add(context, "mat1", "mat2"); });
  table.add({"aten::addmv"}, "result [n] = self + mat [n, k] · vec [k]; k is consumed",
            [](RuleContext& context) { multiply_and_add(context, "mat", "vec"); });
  table.add({"aten::baddbmm"}, "result [b, n, m] = self + batch1 [b, n, k] · batch2 [b, k, m]; k is consumed",
            [](RuleContext& context) { multiply_and_add(context, "batch1", "batch2"); });
}

}  // namespace inn::rules
