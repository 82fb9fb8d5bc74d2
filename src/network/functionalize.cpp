#include "inn/network/functionalize.h"

#include <ATen/core/function_schema.h>

#include <stdexcept>
#include <vector>

namespace inn {
namespace {

/// The argument that a call writes into, or nothing.
std::optional<size_t> written_argument(const c10::FunctionSchema& schema) {
  for (size_t i = 0; i < schema.arguments().size(); ++i)
    if (const auto* alias = schema.arguments()[i].alias_info(); alias && alias->isWrite()) return i;
  return {};
}

/// For each value, whether it may share memory with another one.
std::vector<bool> shared_values(const Network& network) {
  std::vector<bool> shared(network.values.size(), false);
  for (const auto& input : network.inputs) shared[static_cast<size_t>(input)] = true;
  for (const auto& entry : network.state) shared[static_cast<size_t>(entry.value)] = true;
  for (const auto& call : network.calls) {
    const auto& schema = find_schema(call.op, call.overload);
    if (written_argument(schema)) continue;
    bool views = false;
    for (const auto& result : schema.returns()) views = views || result.alias_info() != nullptr;
    if (!views) continue;
    for (const auto& argument : call.arguments)
      argument.for_each_value([&](ValueId id) { shared[static_cast<size_t>(id)] = true; });
    for (const auto& result : call.results)
      for (const auto id : result.values) shared[static_cast<size_t>(id)] = true;
  }
  return shared;
}

}  // namespace

std::optional<Network> functionalize(const Network& network) {
  const auto shared = shared_values(network);
  Network result = network;
  std::vector<ValueId> now(network.values.size());  // the value that holds what was written
  for (size_t v = 0; v < now.size(); ++v) now[v] = static_cast<ValueId>(v);
  for (auto& call : result.calls) {
    const auto written = written_argument(find_schema(call.op, call.overload));
    std::optional<ValueId> before;
    if (written && call.arguments[*written].is_value()) before = call.arguments[*written].value();
    for (auto& argument : call.arguments)
      argument.for_each_value([&](ValueId& id) { id = now[static_cast<size_t>(id)]; });
    if (!written) continue;
    if (!before || shared[static_cast<size_t>(*before)] || !call.op.ends_with('_') || call.results.empty())
      return {};
    call.op.pop_back();
    try {
      if (find_schema(call.op, call.overload).arguments().size() != call.arguments.size()) return {};
    } catch (const std::invalid_argument&) {
      return {};
    }
    now[static_cast<size_t>(*before)] = call.results[0].values.at(0);
  }
  for (auto& output : result.outputs)
    output.for_each_value([&](ValueId& id) { id = now[static_cast<size_t>(id)]; });
  return result;
}

}  // namespace inn
