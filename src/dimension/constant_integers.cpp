// Integers of a network that no run changes: index lists that the source has as constants.

#include <ATen/core/function_schema.h>

#include <set>

#include "analysis.h"

namespace inn {
namespace {

/// Operators that return their first argument, as a copy or a view.
bool gives_again(const std::string& op) {
  static const std::set<std::string> ops{"aten::lift_fresh_copy", "aten::lift_fresh", "aten::detach",
                                         "aten::detach_",         "aten::alias",      "aten::clone",
                                         "aten::contiguous",      "aten::to",         "aten::_to_copy"};
  return ops.contains(op);
}

}  // namespace

std::map<ValueId, at::Tensor> constant_integers(const Network& network) {
  std::map<ValueId, size_t> state_of;
  for (size_t s = 0; s < network.state.size(); ++s)
    if (network.state[s].kind != StateEntry::Kind::parameter &&
        c10::isIntegralType(network.state[s].tensor.scalar_type(), false))
      state_of.emplace(network.state[s].value, s);
  std::set<size_t> unsure;  // seen through a part of it, or written to
  for (const auto& call : network.calls) {
    if (call.arguments.empty()) continue;
    const auto& first = call.arguments.front();
    const auto source = first.is_value() ? state_of.find(first.value()) : state_of.end();
    if (source != state_of.end() && gives_again(call.op) && call.results.size() == 1) {
      const ValueId result = call.results[0].values.at(0);
      if (c10::isIntegralType(network.values[result].dtype, false)) state_of.emplace(result, source->second);
      continue;
    }
    const auto& places = find_schema(call.op, call.overload).arguments();
    for (size_t i = 0; i < call.arguments.size(); ++i)
      call.arguments[i].for_each_value([&](ValueId id) {
        const auto found = state_of.find(id);
        if (found != state_of.end() && places[i].alias_info() != nullptr) unsure.insert(found->second);
      });
  }
  std::map<ValueId, at::Tensor> constants;
  for (const auto& [value, state] : state_of)
    if (!unsure.contains(state)) constants.emplace(value, network.state[state].tensor.detach());
  return constants;
}

}  // namespace inn
