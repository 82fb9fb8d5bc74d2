// Integers that the network computes of sizes.

#include "rules/rules.h"

namespace inn::rules {
namespace {

void size_of(RuleContext& context) {
  const Axes self = context.axes("self");
  context.set_integer(self.at(context.normalize(context.integer("dim"), self.size())));
}

/// Sets what two known integers make; nothing is known otherwise.
template <class Combine>
void combine(RuleContext& context, Combine&& combined) {
  const auto a = context.integer_axis("a"), b = context.integer_axis("b");
  if (a && b) context.set_integer(combined(*a, *b));
}

void nothing_known(RuleContext&) {}

}  // namespace

void add_integer(RuleTable& table) {
  table.add({"aten::sym_size", "aten::size"}, "the size of axis dim", size_of);
  table.add({"aten::mul.int"}, "a·b", [](RuleContext& context) {
    combine(context, [](const Axis& a, const Axis& b) { return Axis::of_product({a, b}); });
  });
  table.add({"aten::add.int"}, "a ⊕ b", [](RuleContext& context) {
    combine(context, [](const Axis& a, const Axis& b) { return Axis::of_sum({a, b}); });
  });
  table.add({"aten::sub.int", "aten::floordiv.int", "aten::remainder.int", "aten::neg.int", "prim::max.int",
             "prim::min.int", "aten::div.int", "aten::eq.int", "aten::ne.int", "aten::lt.int", "aten::le.int",
             "aten::gt.int", "aten::ge.int", "aten::Int", "prim::NumToTensor", "aten::numel",
             "aten::sym_numel", "aten::sym_stride", "aten::sym_storage_offset"},
            "a number that is not the size of a known axis", nothing_known);
}

}  // namespace inn::rules
