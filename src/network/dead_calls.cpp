#include "dead_calls.h"

namespace inn {

void remove_dead_number_calls(Network& network) {
  std::vector<bool> read(network.values.size(), false);
  const auto mark = [&](const Argument& argument) {
    argument.for_each_value([&](ValueId value) { read[value] = true; });
  };
  for (const auto& output : network.outputs) mark(output);
  std::vector<Call> kept;
  for (auto call = network.calls.rbegin(); call != network.calls.rend(); ++call) {
    bool is_dead = !call->results.empty();
    for (const auto& result : call->results)
      for (const auto value : result.values)
        is_dead &= !read[value] && network.values[value].kind != Value::Kind::tensor;
    if (is_dead) continue;
    for (const auto& argument : call->arguments) mark(argument);
    kept.push_back(std::move(*call));
  }
  network.calls.assign(std::make_move_iterator(kept.rbegin()), std::make_move_iterator(kept.rend()));
}

}  // namespace inn
