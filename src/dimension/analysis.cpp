#include "analysis.h"

#include "inn/core/error.h"

namespace inn {
namespace {

bool is_dynamic(const Value& value, size_t axis) {
  return axis < value.formulas.size() && !value.formulas[axis].empty();
}

}  // namespace

Analysis::Analysis(const Network& network_, const RuleTable& rules_)
    : network(network_), rules(rules_), constant_integers(inn::constant_integers(network_)) {
  axes.resize(network.values.size());
  integers.resize(network.values.size());
  scale_sources.resize(network.values.size());
  bounded.resize(network.state.size());
  of_parameters.resize(network.values.size());
  read.resize(network.values.size());
  for (const auto input : network.inputs)
    for (size_t d = 0; d < network.values[input].sizes.size(); ++d)
      has_dynamic_sizes = has_dynamic_sizes || is_dynamic(network.values[input], d);
  const auto note = [&](ValueId id) { read[id] = true; };
  for (const auto& call : network.calls)
    for (const auto& argument : call.arguments) argument.for_each_value(note);
  for (const auto& output : network.outputs) output.for_each_value(note);
}

const std::vector<Analysis::ScaleSource>& Analysis::scale_sources_of(Place place) const {
  static const std::vector<ScaleSource> none;
  const auto& by_axis = scale_sources[place.value];
  return static_cast<size_t>(place.axis) < by_axis.size() ? by_axis[place.axis] : none;
}

std::set<VariableId> Analysis::variables_of(const AxisStructure& axis) const {
  std::set<VariableId> variables;
  algebra.resolve(axis).for_each_variable(
      [&](const AxisStructure& leaf) { variables.insert(leaf.variable); });
  return variables;
}

void Analysis::run() {
  start();
  for (size_t i = 0; i < network.calls.size(); ++i) {
    apply(i);
    algebra.settle_sizes();
  }
  algebra.pin_open_sizes();
  finish();
}

void Analysis::start() {
  for (const auto input : network.inputs) {
    const auto& value = network.values[input];
    if (value.kind != Value::Kind::tensor) continue;
    TensorAxes fresh;
    for (size_t d = 0; d < value.sizes.size(); ++d) {
      fresh.push_back(algebra.fresh(value.sizes[d]));
      if (has_dynamic_sizes)
        algebra.note(fresh.back(), is_dynamic(value, d) ? Algebra::Varies::always : Algebra::Varies::never);
      algebra.pin(fresh.back(), fmt::format("axis {} of the input '{}'", d, value.name));
    }
    axes[input] = std::move(fresh);
  }
  for (size_t s = 0; s < network.state.size(); ++s) {
    const ValueId value = network.state[s].value;
    TensorAxes fresh;
    std::vector<std::vector<ScaleSource>> from;
    int64_t d = 0;
    for (const auto size : network.state[s].tensor.sizes()) {
      // An axis of size 1 in a parameter broadcasts; it is not a width.
      fresh.push_back(size == 1 ? AxisStructure::of_constant(1) : algebra.fresh(size));
      if (has_dynamic_sizes) algebra.note(fresh.back(), Algebra::Varies::never);
      from.push_back({{s, d++, 0, size, 1}});
    }
    // Integers and booleans cannot be interpolated.
    const auto dtype = network.state[s].tensor.scalar_type();
    if (!c10::isFloatingType(dtype) && !c10::isComplexType(dtype))
      fix_state(s, fresh, "its values are integers or booleans (indices, masks)");
    axes[value] = std::move(fresh);
    of_parameters[value] = true;
    scale_sources[value] = std::move(from);
  }
}

void Analysis::apply(size_t call_index) {
  const Call& call = network.calls[call_index];
  const OperatorRule* rule = rules.find(call);
  if (rule == nullptr) {
    ++unknown_operators[call.qualified_name()];
    apply_unknown(call_index, "which has no rule");
    return;
  }
  RuleContext context(*this, call_index);
  rule->apply(context);
  for (const auto& result : call.results) {
    for (const auto id : result.values) {
      const auto& value = network.values[id];
      if (value.kind != Value::Kind::tensor) continue;
      const auto& found = axes[id];
      bool fits = found && found->size() == value.sizes.size();
      for (size_t d = 0; fits && d < found->size(); ++d) fits = (*found)[d].size == value.sizes[d];
      if (!fits) {
        apply_unknown(call_index, "whose rule does not fit the sizes of this call");
        return;
      }
    }
  }
}

void Analysis::apply_unknown(size_t call_index, const std::string& why) {
  const Call& call = network.calls[call_index];
  const auto site = RuleContext(*this, call_index).site();
  const auto reason = fmt::format("used by {}, {}", site, why);
  for (const auto& argument : call.arguments) {
    argument.for_each_value([&](ValueId id) {
      if (!axes[id]) return;
      for (const auto& axis : *axes[id]) algebra.pin(axis, reason);
    });
  }
  for (const auto& result : call.results) {
    for (const auto id : result.values) {
      if (network.values[id].kind != Value::Kind::tensor) continue;
      TensorAxes fresh;
      for (const auto size : network.values[id].sizes) {
        fresh.push_back(algebra.fresh(size));
        algebra.pin(fresh.back(), reason);
      }
      axes[id] = std::move(fresh);
    }
  }
}

void Analysis::finish() {
  place_quadratures(*this);
  size_t position = 0;
  for (const auto& output : network.outputs) {
    output.for_each_value([&](ValueId id) {
      if (!axes[id]) return;
      for (size_t d = 0; d < axes[id]->size(); ++d)
        algebra.pin((*axes[id])[d], fmt::format("axis {} of output {}", d, position));
    });
    ++position;
  }
  for (size_t s = 0; s < network.state.size(); ++s)
    if (const ValueId value = network.state[s].value; !read[value])
      fix_state(s, *axes[value], "its tensor is not used");
}

void Analysis::fix_state(size_t state, const TensorAxes& own, const std::string& reason) {
  for (size_t d = 0; d < own.size(); ++d) {
    algebra.fix(own[d], reason);
    position_axes.emplace(state, static_cast<int64_t>(d));
  }
}

}  // namespace inn
