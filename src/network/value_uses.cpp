#include "inn/network/value_uses.h"

namespace inn {

ValueUses::ValueUses(const Network& network) : uses_(network.values.size()) {
  for (size_t c = 0; c < network.calls.size(); ++c) {
    for (const auto& argument : network.calls[c].arguments)
      argument.for_each_value([&](ValueId id) { uses_[index(id)].readers.push_back(c); });
    for (const auto& result : network.calls[c].results)
      for (const auto id : result.values) uses_[index(id)].producer = c;
  }
  for (const auto& output : network.outputs)
    output.for_each_value([&](ValueId id) { uses_[index(id)].is_output = true; });
  for (size_t s = network.state.size(); s-- > 0;) uses_[index(network.state[s].value)].state = s;
}

}  // namespace inn
