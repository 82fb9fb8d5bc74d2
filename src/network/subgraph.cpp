#include "inn/network/subgraph.h"

#include <algorithm>
#include <vector>

namespace inn {

Network subgraph(const Network& network, size_t begin, std::span<const ValueId> wanted) {
  Network part;  // all but the calls, which are many, and what they go between
  part.values = network.values;
  part.state = network.state;
  part.symbols = network.symbols;
  part.signature = network.signature;
  part.ranges = network.ranges;
  part.extra = network.extra;
  std::vector<bool> needed(network.values.size(), false), made(network.values.size(), false);
  for (const auto id : wanted) {
    needed[static_cast<size_t>(id)] = true;
    part.outputs.emplace_back(ValueRef{id});
  }
  for (size_t c = network.calls.size(); c-- > begin;) {
    const auto& call = network.calls[c];
    bool is_needed = false;
    for (const auto& result : call.results)
      for (const auto id : result.values) is_needed = is_needed || needed[static_cast<size_t>(id)];
    if (!is_needed) continue;
    for (const auto& result : call.results)
      for (const auto id : result.values) made[static_cast<size_t>(id)] = true;
    for (const auto& argument : call.arguments)
      argument.for_each_value([&](ValueId id) { needed[static_cast<size_t>(id)] = true; });
    part.calls.push_back(call);
  }
  std::reverse(part.calls.begin(), part.calls.end());
  for (const auto& entry : network.state) made[static_cast<size_t>(entry.value)] = true;
  for (size_t v = 0; v < needed.size(); ++v)
    if (needed[v] && !made[v]) part.inputs.push_back(static_cast<ValueId>(v));
  return part;
}

}  // namespace inn
