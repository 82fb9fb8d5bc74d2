// Contractions written as an equation.

#include <algorithm>
#include <map>

#include "inn/network/einsum.h"
#include "rules/rules.h"

namespace inn::rules {
namespace {

void einsum(RuleContext& context) {
  const auto operands = context.list_axes("tensors");
  std::vector<size_t> ranks;
  for (const auto& axes : operands) ranks.push_back(axes.size());
  const EinsumEquation equation = parse_einsum(context.text("equation"), ranks);

  struct Place {
    size_t operand, axis;
  };
  std::map<EinsumEquation::Label, std::vector<Place>> places;
  std::map<EinsumEquation::Label, AxisStructure> common;
  for (size_t t = 0; t < operands.size(); ++t)
    for (size_t d = 0; d < operands[t].size(); ++d) places[equation.operands[t][d]].push_back({t, d});
  for (const auto& [label, found] : places) {
    int64_t size = 1;
    for (const auto& place : found) size = std::max(size, operands[place.operand][place.axis].size);
    std::optional<AxisStructure> axis;
    for (const auto& place : found) {
      const AxisStructure& own = operands[place.operand][place.axis];
      stretch(context, own, size);
      if (own.size != size || (size == 1 && own.is_constant())) continue;
      if (axis) context.unify(*axis, own);
      if (!axis || axis->is_constant()) axis = own;
    }
    common.emplace(label, axis.value_or(AxisStructure::of_constant(size)));
    const auto& result = equation.result;
    if (std::find(result.begin(), result.end(), label) != result.end()) continue;
    std::vector<RuleContext::Place> summed;
    for (const auto& place : found)
      summed.push_back({"tensors", static_cast<int64_t>(place.axis), place.operand});
    context.contract(summed);
  }
  TensorAxes result;
  for (const auto label : equation.result) result.push_back(common.at(label));
  context.set_result(result);
}

}  // namespace

void add_einsum(RuleTable& table) {
  table.add({"aten::einsum"},
            "one axis per letter, in all operands and the result; letters missing in the result are consumed",
            einsum);
}

}  // namespace inn::rules
