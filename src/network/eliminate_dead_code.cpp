#include "inn/network/eliminate_dead_code.h"

#include <ATen/core/function_schema.h>

namespace inn {

void remove_unread_calls(Network& network, const std::function<bool(const Call&)>& may_go) {
  std::vector<bool> read(network.values.size(), false);
  const auto mark = [&](const Argument& argument) {
    argument.for_each_value([&](const ValueId& value) { read[value] = true; });
  };
  for (const auto& output : network.outputs) mark(output);
  std::vector<Call> kept;
  for (auto call = network.calls.rbegin(); call != network.calls.rend(); ++call) {
    bool is_dead = may_go(*call);
    for (const auto& result : call->results)
      for (const auto value : result.values) is_dead &= !read[value];
    if (is_dead) continue;
    for (const auto& argument : call->arguments) mark(argument);
    kept.push_back(std::move(*call));
  }
  network.calls.assign(std::make_move_iterator(kept.rbegin()), std::make_move_iterator(kept.rend()));
}

void remove_dead_number_calls(Network& network) {
  remove_unread_calls(network, [&](const Call& call) {
    bool only_numbers = !call.results.empty();
    for (const auto& result : call.results)
      for (const auto value : result.values)
        only_numbers &= network.values[value].kind != Value::Kind::tensor;
    return only_numbers;
  });
}

void eliminate_dead_code(Network& network) {
  remove_unread_calls(network, [](const Call& call) {
    const auto& arguments = find_schema(call.op, call.overload).arguments();
    return std::none_of(arguments.begin(), arguments.end(), [](const c10::Argument& argument) {
      return argument.alias_info() && argument.alias_info()->isWrite();
    });
  });
}

}  // namespace inn
