#include "inn/network/functionalize.h"

#include <ATen/core/function_schema.h>

#include <algorithm>
#include <memory>
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

/// A slice of a tensor of the network's own, into which a call writes.
struct WrittenSlice {
  ValueId base;
  size_t slice;  // the call that takes it
};

/// Returns the slice that `written` is, if at the call `at` nothing else sees the memory that it is a part of: the tensor is the result of
/// a call that makes new memory, and its other views are taken later, or not used any more.
std::unique_ptr<WrittenSlice> written_slice(const Network& network, ValueId written, size_t at) {
  const auto makes_views = [](const Call& call) {
    const auto& returns = find_schema(call.op, call.overload).returns();
    return std::any_of(returns.begin(), returns.end(),
                       [](const auto& each) { return each.alias_info() != nullptr; });
  };
  const auto reads = [](const Call& call, ValueId id) {
    bool found = false;
    for (const auto& argument : call.arguments)
      argument.for_each_value([&](ValueId each) { found = found || each == id; });
    return found;
  };
  const auto gives = [](const Call& call, ValueId id) {
    return std::any_of(call.results.begin(), call.results.end(), [&](const auto& result) {
      return std::find(result.values.begin(), result.values.end(), id) != result.values.end();
    });
  };
  std::unique_ptr<WrittenSlice> found;
  for (size_t c = 0; c < at; ++c)
    if (gives(network.calls[c], written) && network.calls[c].op == "aten::slice" &&
        network.calls[c].arguments[0].is_value())
      found = std::make_unique<WrittenSlice>(network.calls[c].arguments[0].value(), c);
  if (!found) return {};
  bool is_made = false;
  for (size_t c = 0; c < found->slice; ++c) {
    const auto& call = network.calls[c];
    if (gives(call, found->base)) is_made = !makes_views(call);
  }
  if (!is_made) return {};
  const auto is_output = [&](ValueId id) {
    bool output = false;
    for (const auto& each : network.outputs)
      each.for_each_value([&](ValueId value) { output = output || value == id; });
    return output;
  };
  for (size_t c = 0; c < at; ++c) {
    if (c == found->slice || !reads(network.calls[c], found->base) || !makes_views(network.calls[c]))
      continue;
    for (const auto& result : network.calls[c].results)
      for (const auto view : result.values)
        if (is_output(view) ||
            std::any_of(network.calls.begin() + static_cast<std::ptrdiff_t>(at), network.calls.end(),
                        [&](const Call& later) { return reads(later, view); }))
          return {};
  }
  return found;
}

}  // namespace

std::optional<Network> functionalize(const Network& network, WrittenSlices slices) {
  const auto shared = shared_values(network);
  Network result = network;
  result.calls.clear();
  std::vector<ValueId> now(network.values.size());  // the value that holds what was written
  for (size_t v = 0; v < now.size(); ++v) now[v] = static_cast<ValueId>(v);
  for (size_t c = 0; c < network.calls.size(); ++c) {
    Call call = network.calls[c];
    const auto written = written_argument(find_schema(call.op, call.overload));
    std::optional<ValueId> before;
    if (written && call.arguments[*written].is_value()) before = call.arguments[*written].value();
    for (auto& argument : call.arguments)
      argument.for_each_value([&](ValueId& id) { id = now[static_cast<size_t>(id)]; });
    if (!written) {
      result.calls.push_back(std::move(call));
      continue;
    }
    if (!before || !call.op.ends_with('_') || call.results.empty()) return {};
    std::unique_ptr<WrittenSlice> slice;
    if (shared[static_cast<size_t>(*before)]) {
      if (slices == WrittenSlices::scattered) slice = written_slice(network, *before, c);
      if (!slice) return {};
    }
    call.op.pop_back();
    try {
      if (find_schema(call.op, call.overload).arguments().size() != call.arguments.size()) return {};
    } catch (const std::invalid_argument&) {
      return {};
    }
    const auto made = call.results[0].values.at(0);
    now[static_cast<size_t>(*before)] = made;
    result.calls.push_back(call);
    if (!slice) continue;
    // The tensor with the part that was written: its slice's arguments follow those of the parts.
    Value whole = network.values[static_cast<size_t>(slice->base)];
    whole.name += "_written";
    const auto id = result.add_value(std::move(whole));
    Call scatter{
        "aten::slice_scatter", "", {ValueRef{now[static_cast<size_t>(slice->base)]}, ValueRef{made}}};
    for (size_t a = 1; a < network.calls[slice->slice].arguments.size(); ++a) {
      auto argument = network.calls[slice->slice].arguments[a];
      argument.for_each_value([&](ValueId& value) { value = now[static_cast<size_t>(value)]; });
      scatter.arguments.push_back(std::move(argument));
    }
    scatter.results.push_back({false, {id}});
    scatter.module = call.module;
    scatter.module_type = call.module_type;
    result.calls.push_back(std::move(scatter));
    now[static_cast<size_t>(slice->base)] = id;
  }
  for (auto& output : result.outputs)
    output.for_each_value([&](ValueId& id) { id = now[static_cast<size_t>(id)]; });
  return result;
}

}  // namespace inn
