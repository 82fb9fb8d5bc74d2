// Operators that look positions up.

#include "dimension/rules/rules.h"

namespace inn::rules {
namespace {

void embed(RuleContext& context) {
  const Axes weight = context.axes("weight");
  Axes result = context.axes("indices");
  context.pin(weight.at(0), context.site() + " looks its positions up");
  result.push_back(weight.at(1));
  context.set_result(result);
}

}  // namespace

void add_lookup(RuleTable& table) {
  table.add({"aten::embedding"},
            "result […, e] of weight [vocabulary, e] and indices […]; the vocabulary is told apart", embed);
}

}  // namespace inn::rules
