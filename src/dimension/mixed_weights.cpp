// Finds weights that a network computes from its parameters such that their channels depend on each other.

#include <ATen/core/function_schema.h>

#include <algorithm>

#include "analysis.h"
#include "inn/network/value_uses.h"

namespace inn {
namespace {

/// Examines the calls that compute from parameters alone.
class MixedWeights {
 public:
  explicit MixedWeights(const Analysis& analysis)
      : analysis_(analysis), network_(analysis.network), uses_(network_) {}

  std::vector<ComputedWeight> find() const {
    std::vector<ComputedWeight> found;
    std::vector<bool> seen(network_.values.size());
    for (size_t c = 0; c < network_.calls.size(); ++c) {
      if (is_of_parameters(c)) continue;
      for (const auto& argument : network_.calls[c].arguments)
        argument.for_each_value([&](ValueId id) {
          if (!analysis_.of_parameters[id] || !uses_.producer(id) || seen[id]) return;
          seen[id] = true;
          if (const auto* mixing = mixing_of(id))
            found.push_back({id, site_of(network_.calls[mixing->call])});
        });
    }
    return found;
  }

 private:
  bool is_of_parameters(size_t call) const {
    for (const auto& result : network_.calls[call].results)
      for (const auto id : result.values)
        if (!analysis_.of_parameters[id]) return false;
    return true;
  }

  /// The call, of those that compute the value, that mixes resizable channels of the value.
  const Analysis::Mixing* mixing_of(ValueId value) const {
    if (!analysis_.axes[value] || !c10::isFloatingType(network_.values[value].dtype)) return nullptr;
    std::set<VariableId> own;
    for (const auto& axis : *analysis_.axes[value])
      for (const auto variable : analysis_.variables_of(axis))
        if (!analysis_.algebra.pinned(variable) && !analysis_.algebra.is_fixed(variable))
          own.insert(variable);
    if (own.empty()) return nullptr;
    const std::vector<bool> computing = calls_for(value);
    if (writes_state(computing)) return nullptr;
    for (const auto& mixing : analysis_.mixings) {
      if (!computing[mixing.call]) continue;
      for (const auto variable : analysis_.variables_of(mixing.axis))
        if (own.contains(variable)) return &mixing;
    }
    return nullptr;
  }

  std::vector<bool> calls_for(ValueId value) const {
    std::vector<bool> needed(network_.calls.size());
    std::vector<ValueId> open{value};
    while (!open.empty()) {
      const auto call = uses_.producer(open.back());
      open.pop_back();
      if (!call || needed[*call]) continue;
      needed[*call] = true;
      for (const auto& argument : network_.calls[*call].arguments)
        argument.for_each_value([&](ValueId id) { open.push_back(id); });
    }
    return needed;
  }

  /// A power iteration that continues: it computes another weight in every run.
  bool writes_state(const std::vector<bool>& calls) const {
    for (size_t c = 0; c < calls.size(); ++c) {
      if (!calls[c]) continue;
      const auto& call = network_.calls[c];
      const auto& schema = find_schema(call.op, call.overload).arguments();
      for (size_t i = 0; i < call.arguments.size(); ++i)
        if (schema[i].alias_info() && schema[i].alias_info()->isWrite() && call.arguments[i].is_value() &&
            uses_.state_of(call.arguments[i].value()))
          return true;
    }
    return false;
  }

  const Analysis& analysis_;
  const Network& network_;
  ValueUses uses_;
};

}  // namespace

std::vector<ComputedWeight> mixed_weights(const Analysis& analysis) {
  if (analysis.mixings.empty()) return {};
  return MixedWeights(analysis).find();
}

}  // namespace inn
