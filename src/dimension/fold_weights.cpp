#include "inn/dimension/fold_weights.h"

#include <ATen/core/grad_mode.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "inn/core/error.h"
#include "inn/network/eliminate_dead_code.h"
#include "inn/network/subgraph.h"

namespace inn {
namespace {

std::set<ValueId> values_read(const std::vector<Call>& calls) {
  std::set<ValueId> read;
  for (const auto& call : calls)
    for (const auto& argument : call.arguments) argument.for_each_value([&](ValueId id) { read.insert(id); });
  return read;
}

/// A weight, the calls that compute it and the state tensors that those read.
struct Computation {
  const ComputedWeight* weight;
  Network part;
  std::vector<size_t> states;
  at::Tensor tensor;

  Computation(const Network& network, const ComputedWeight& computed)
      : weight(&computed), part(subgraph(network, 0, std::vector{computed.value})) {
    const auto read = values_read(part.calls);
    for (size_t s = 0; s < network.state.size(); ++s)
      if (read.contains(network.state[s].value)) states.push_back(s);
    require(!states.empty() && part.inputs.empty(), "dimension",
            "Value '{}': must be computed only from parameters to be folded.",
            network.values[computed.value].name);
    const at::NoGradGuard no_grad;
    tensor = part.clone().forward(std::vector<c10::IValue>{}).at(0).toTensor().detach().clone();
  }
};

/// Returns the index of the state entry with the folded weight.
size_t put_into_state(Network& network, const Computation& computation) {
  const auto largest = *std::max_element(
      computation.states.begin(), computation.states.end(),
      [&](size_t a, size_t b) { return network.state[a].tensor.numel() < network.state[b].tensor.numel(); });
  const bool is_free = !values_read(network.calls).contains(network.state[largest].value);
  StateEntry entry{network.state[largest].name, network.state[largest].kind, computation.weight->value};
  entry.tensor = computation.tensor.set_requires_grad(network.state[largest].tensor.requires_grad());
  if (is_free) {
    network.state[largest] = std::move(entry);
    return largest;
  }
  entry.name += "_folded";  // not ".folded": in Python a parameter holds no other
  network.state.push_back(std::move(entry));
  return network.state.size() - 1;
}

}  // namespace

Network fold_weights(const Network& network, const std::vector<ComputedWeight>& weights,
                     std::vector<std::string>& notes) {
  std::vector<Computation> computations;
  for (const auto& weight : weights) computations.emplace_back(network, weight);
  Network result = network;
  std::set<ValueId> computed, folded;
  for (const auto& [weight, part, states, tensor] : computations) {
    folded.insert(weight->value);
    for (const auto& call : part.calls)
      for (const auto& made : call.results) computed.insert(made.values.begin(), made.values.end());
  }
  for (auto& call : result.calls)
    for (auto& made : call.results)
      for (auto& id : made.values)
        if (folded.contains(id)) {
          Value unread = result.values[id];
          unread.name += "_unread";
          id = result.add_value(std::move(unread));
          computed.insert(id);
        }
  remove_unread_calls(result, [&](const Call& call) {
    bool is_computed = !call.results.empty();
    for (const auto& made : call.results)
      for (const auto id : made.values) is_computed = is_computed && computed.contains(id);
    return is_computed;
  });

  std::set<size_t> states, holders;
  for (const auto& computation : computations) {
    std::vector<std::string> names;
    for (const auto s : computation.states) names.push_back(network.state[s].name);
    states.insert(computation.states.begin(), computation.states.end());
    const size_t holder = put_into_state(result, computation);
    holders.insert(holder);
    notes.push_back(
        fmt::format("Tensor '{}' replaces the weight that {} computed from {}, because a norm over channels "
                    "changes with their number.",
                    result.state[holder].name, computation.weight->site, fmt::join(names, ", ")));
  }
  const auto read = values_read(result.calls);
  for (auto s = states.rbegin(); s != states.rend(); ++s)
    if (!holders.contains(*s) && !read.contains(result.state[*s].value))
      result.state.erase(result.state.begin() + static_cast<int64_t>(*s));
  return result;
}

}  // namespace inn
