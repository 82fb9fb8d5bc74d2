// Integers that the network computes from sizes.

#include "rules/rules.h"

namespace inn::rules {
namespace {

void size_of(RuleContext& context) {
  const TensorAxes self = context.axes("self");
  context.set_integer(self.at(context.normalize(context.integer("dim"), self.size())));
}

/// Computes the result of two known integers; unknown otherwise.
template <class Combine>
void combine(RuleContext& context, Combine&& combined) {
  const auto a = context.integer_axis("a"), b = context.integer_axis("b");
  if (a && b) context.set_integer(combined(*a, *b));
}

void divide(RuleContext& context) {
  const auto whole = context.integer_axis("a"), factor = context.integer_axis("b");
  // If the quotient is rounded down, it is not a factor.
  if (!whole || !factor || factor->size == 0 || whole->size % factor->size != 0) return;
  const AxisStructure part = context.fresh(whole->size / factor->size);
  context.equate_quotient(*whole, part, *factor);
  context.set_integer(part);
}

void subtract(RuleContext& context) {
  const auto whole = context.integer_axis("a"), rest = context.integer_axis("b");
  if (!whole || !rest || whole->size < rest->size) return;
  const AxisStructure part = context.fresh(whole->size - rest->size);
  context.equate_difference(*whole, part, *rest);
  context.set_integer(part);
}

void nothing_known(RuleContext&) {}

}  // namespace

void add_integer(RuleTable& table) {
  table.add({"aten::sym_size", "aten::size"}, "the size of axis dim", size_of);
  table.add({"aten::mul.int"}, "the size a·b (unordered)", [](RuleContext& context) {
    combine(context, [](const AxisStructure& a, const AxisStructure& b) {
      return AxisStructure::of_product({a, b});
    });
  });
  table.add({"aten::add.int"}, "the size a + b (unordered)", [](RuleContext& context) {
    combine(context, [](const AxisStructure& a, const AxisStructure& b) {
      return AxisStructure::of_sum({a, b});
    });
  });
  table.add({"aten::sub.int"}, "the size c of a = c + b", subtract);
  table.add({"aten::floordiv.int"}, "the size c of a = c·b", divide);
  table.add({"aten::remainder.int", "aten::neg.int", "prim::max.int", "prim::min.int", "aten::div.int",
             "aten::eq.int", "aten::ne.int", "aten::lt.int", "aten::le.int", "aten::gt.int", "aten::ge.int",
             "aten::Int", "prim::NumToTensor", "aten::numel", "aten::sym_numel", "aten::sym_stride",
             "aten::sym_storage_offset"},
            "a number that is not the size of a known axis", nothing_known);
}

}  // namespace inn::rules
