#include "inn/network/liveness.h"

#include <unordered_set>

namespace inn {

Liveness liveness_of(const Network& network) {
  Liveness result{{}, std::vector<std::vector<ValueId>>(network.calls.size())};
  std::unordered_set<ValueId> later;  // read by an output or by a call after the one that is looked at
  for (const auto& output : network.outputs)
    output.for_each_value([&](ValueId value) { later.insert(value); });
  for (size_t i = network.calls.size(); i-- > 0;) {
    const auto release = [&](ValueId value) {
      if (later.insert(value).second) result.released[i].push_back(value);
    };
    for (const auto& call_result : network.calls[i].results)
      for (const auto value : call_result.values) release(value);
    for (const auto& argument : network.calls[i].arguments) argument.for_each_value(release);
  }
  for (const auto input : network.inputs)
    if (!later.contains(input)) result.unread.push_back(input);
  return result;
}

}  // namespace inn
