// Operators that make tensors out of sizes.

#include "dimension/rules/rules.h"

namespace inn::rules {
namespace {

void fill_sizes(RuleContext& context) {
  Axes result;
  for (size_t k = 0; k < context.result_sizes().size(); ++k)
    result.push_back(context.size_argument("size", context.result_sizes()[k], k));
  context.set_result(result);
}

void count_up(RuleContext& context) {
  const int64_t size = context.result_sizes().at(0);
  const bool plain = context.call().overload.empty() || context.call().overload == "default";
  const Axis axis = plain ? context.size_argument("end", size) : context.fresh(size);
  context.fix(axis);
  context.set_result({axis});
}

}  // namespace

void add_factory(RuleTable& table) {
  table.add({"aten::zeros", "aten::ones", "aten::empty", "aten::full", "aten::rand", "aten::randn",
             "aten::new_zeros", "aten::new_ones", "aten::new_empty", "aten::new_full"},
            "the axes of the result are the sizes", fill_sizes);
  table.add({"aten::zeros_like", "aten::ones_like", "aten::empty_like", "aten::full_like", "aten::rand_like",
             "aten::randn_like"},
            "result = self, axis by axis", same_axes);
  table.add({"aten::arange"}, "positions: no channels", count_up);
  table.add({"aten::scalar_tensor"}, "a number", [](RuleContext& context) { context.set_result({}); });
}

}  // namespace inn::rules
