// Matrix products: contracted axes are equal and consumed, the others pass through.

#include <algorithm>

#include "dimension/rules/rules.h"

namespace inn::rules {
namespace {

void linear(RuleContext& context) {
  const Axes input = context.axes("input"), weight = context.axes("weight");
  const auto last = static_cast<int64_t>(input.size()) - 1;
  context.unify(input.back(), weight.back());
  context.consume("input", last);
  context.consume("weight", static_cast<int64_t>(weight.size()) - 1);
  Axes result(input.begin(), input.end() - 1);
  if (weight.size() == 2) result.push_back(weight[0]);
  if (context.is_tensor("bias") && weight.size() == 2 && !context.axes("bias").empty())
    context.unify(context.axes("bias").at(0), weight[0]);
  context.set_result(result);
}

/// a […, n, k] by b […, k, m] with torch's broadcasting of what stands before, and of vectors.
void multiply(RuleContext& context, const std::string& left, const std::string& right) {
  const Axes a = context.axes(left), b = context.axes(right);
  const size_t inner_b = b.size() == 1 ? 0 : b.size() - 2;
  context.unify(a.back(), b[inner_b]);
  context.consume(left, static_cast<int64_t>(a.size()) - 1);
  context.consume(right, static_cast<int64_t>(inner_b));
  const size_t batch_a = a.size() < 2 ? 0 : a.size() - 2, batch_b = b.size() < 2 ? 0 : b.size() - 2;
  const size_t batch = std::max(batch_a, batch_b);
  Axes result;
  for (size_t d = 0; d < batch; ++d) {
    const Axis* in_a = d + batch_a >= batch ? &a[d + batch_a - batch] : nullptr;
    const Axis* in_b = d + batch_b >= batch ? &b[d + batch_b - batch] : nullptr;
    if (in_a && in_b && in_a->size == in_b->size && !in_a->is_constant() && !in_b->is_constant())
      context.unify(*in_a, *in_b);
    const bool take_a =
        in_a && (!in_b || in_b->size == 1 || !in_a->is_constant()) && !(in_b && in_a->size < in_b->size);
    result.push_back(take_a ? *in_a : *in_b);
  }
  if (a.size() > 1) {
    context.carry(left, static_cast<int64_t>(a.size()) - 2, static_cast<int64_t>(result.size()));
    result.push_back(a[a.size() - 2]);
  }
  if (b.size() > 1) {
    context.carry(right, static_cast<int64_t>(b.size()) - 1, static_cast<int64_t>(result.size()));
    result.push_back(b.back());
  }
  context.set_result(result);
}

/// self + a b: self broadcasts against the product.
void multiply_and_add(RuleContext& context, const std::string& left, const std::string& right) {
  multiply(context, left, right);
  const Axes self = context.axes("self"), a = context.axes(left), b = context.axes(right);
  if (!self.empty() && self.back().size == b.back().size) context.unify(self.back(), b.back());
  if (self.size() > 1 && self[self.size() - 2].size == a[a.size() - 2].size)
    context.unify(self[self.size() - 2], a[a.size() - 2]);
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
  table.add({"aten::mv"}, "result [n] = self [n, k] · vec [k]; k is consumed",
            [](RuleContext& context) { multiply(context, "self", "vec"); });
  table.add({"aten::addmm"}, "result [n, m] = self + mat1 [n, k] · mat2 [k, m]; k is consumed",
            [](RuleContext& context) { multiply_and_add(context, "mat1", "mat2"); });
  table.add({"aten::baddbmm"}, "result [b, n, m] = self + batch1 [b, n, k] · batch2 [b, k, m]; k is consumed",
            [](RuleContext& context) { multiply_and_add(context, "batch1", "batch2"); });
}

}  // namespace inn::rules
