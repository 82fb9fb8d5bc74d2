#include "inn/budget/width_cost.h"

#include <memory>

#include "axis_groups.h"
#include "inn/cost/cost.h"
#include "inn/cost/formula.h"

namespace inn {
namespace {

/// The sizes of the values that one call reads and gives, at any widths. Shared by its term's copies.
struct SizedCall {
  Call call;  // its values are renumbered from 0
  std::vector<std::vector<AxisStructure>> axes;
  const CostFormula* formula;

  double macs(const std::vector<int64_t>& widths) const {
    std::vector<Sizes> sizes;
    for (const auto& value : axes) {
      auto& own = sizes.emplace_back();
      for (const auto& axis : value) own.push_back(size_at(axis, widths));
    }
    return static_cast<double>(formula->macs(CallSizes(call, sizes)));
  }
};

SizedCall sized_call(const AnalysedNetwork& source, const Call& call, const CostFormula* formula) {
  SizedCall sized{call, {}, formula};
  std::map<ValueId, ValueId> number;
  const auto renumber = [&](ValueId& id) {
    const auto [found, is_new] = number.emplace(id, static_cast<ValueId>(sized.axes.size()));
    if (is_new) sized.axes.push_back(source.groups.value_axes.at(static_cast<size_t>(id)));
    id = found->second;
  };
  for (auto& argument : sized.call.arguments) argument.for_each_value(renumber);
  for (auto& result : sized.call.results)
    for (auto& id : result.values) renumber(id);
  return sized;
}

}  // namespace

double WidthCost::operator()(const std::vector<int64_t>& widths) const {
  double sum = 0;
  for (const auto& term : terms) sum += term.cost(widths);
  return sum;
}

std::vector<int64_t> source_widths(const Groups& groups) {
  std::vector<int64_t> widths;
  for (const auto& group : groups.groups) widths.push_back(group.width);
  return widths;
}

WidthCost multiply_add_cost(const AnalysedNetwork& source) {
  std::map<std::string, const CostFormula*> formulas;
  for (const auto& formula : cost_formulas()) formulas.emplace(formula.op, &formula);
  WidthCost cost;
  for (const auto& call : source.network.calls) {
    const auto formula = formulas.find(call.op);
    if (formula == formulas.end()) continue;
    const auto sized = std::make_shared<const SizedCall>(sized_call(source, call, formula->second));
    std::set<GroupId> groups;
    for (const auto& value : sized->axes) groups.merge(groups_of_axes(value));
    cost.terms.push_back({std::move(groups), [sized](const auto& widths) { return sized->macs(widths); }});
  }
  // The example may have any batch; what is asked for is one sample's.
  const double here = cost(source_widths(source.groups));
  const double scale = here > 0 ? static_cast<double>(cost_of(source.network).macs) / here : 1;
  for (auto& term : cost.terms)
    term.cost = [of = std::move(term.cost), scale](const auto& widths) { return scale * of(widths); };
  return cost;
}

WidthCost parameter_cost(const AnalysedNetwork& source) {
  WidthCost cost;
  for (size_t s = 0; s < source.network.state.size(); ++s) {
    if (source.network.state[s].kind != StateEntry::Kind::parameter) continue;
    const auto& axes = source.groups.axes.at(s);
    cost.terms.push_back({groups_of_axes(axes), [axes](const auto& widths) {
                            double count = 1;
                            for (const auto& axis : axes) count *= static_cast<double>(size_at(axis, widths));
                            return count;
                          }});
  }
  return cost;
}

double read_linearly(const std::map<int64_t, double>& by_width, int64_t width) {
  const auto above = by_width.lower_bound(width);
  if (above == by_width.end()) return std::prev(above)->second;
  if (above->first == width || above == by_width.begin()) return above->second;
  const auto below = std::prev(above);
  const double share =
      static_cast<double>(width - below->first) / static_cast<double>(above->first - below->first);
  return below->second + share * (above->second - below->second);
}

}  // namespace inn
