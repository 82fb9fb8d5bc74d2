#include "inn/network/reindexing.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "inn/calibration/activation_cache.h"
#include "inn/network/subgraph.h"

namespace inn {
namespace {

constexpr std::array<std::string_view, 27> kReindexing{
    "aten::alias",
    "aten::chunk",
    "aten::clone",
    "aten::contiguous",
    "aten::detach",
    "aten::dropout",
    "aten::expand",
    "aten::flatten",
    "aten::movedim",
    "aten::narrow",
    "aten::numpy_T",
    "aten::permute",
    "aten::repeat",
    "aten::repeat_interleave",
    "aten::reshape",
    "aten::select",
    "aten::slice",
    "aten::split",
    "aten::split_with_sizes",
    "aten::squeeze",
    "aten::swapaxes",
    "aten::t",
    "aten::transpose",
    "aten::unbind",
    "aten::unflatten",
    "aten::unsqueeze",
    "aten::view",
};

bool reindexes(const Call& call) {
  return std::find(kReindexing.begin(), kReindexing.end(), call.op) != kReindexing.end();
}

}  // namespace

std::optional<at::Tensor> reindexed(const Network& network, ValueId from, ValueId to,
                                    const at::Tensor& content) {
  if (from == to) return content;
  size_t begin = network.calls.size();
  for (size_t c = 0; c < network.calls.size(); ++c)
    for (const auto& result : network.calls[c].results)
      if (std::find(result.values.begin(), result.values.end(), from) != result.values.end()) begin = c + 1;
  const ValueId wanted[] = {to};
  const Network part = subgraph(network, begin, wanted);
  if (part.calls.empty() || !std::all_of(part.calls.begin(), part.calls.end(), reindexes)) return {};
  std::vector<c10::IValue> inputs;
  for (const auto input : part.inputs) {
    const auto& value = network.values[static_cast<size_t>(input)];
    if (input != from && value.kind != Value::Kind::integer) return {};
    inputs.push_back(input == from ? c10::IValue(content) : c10::IValue(value.number));
  }
  return part.forward(inputs, part.tensors(), {})[0].toTensor();
}

bool leads_only_to(const Network& network, ValueId value, const std::set<size_t>& readers) {
  std::set<ValueId> reached{value};
  for (size_t c = 0; c < network.calls.size(); ++c) {
    const auto& call = network.calls[c];
    bool reads = false;
    for (const auto& argument : call.arguments)
      argument.for_each_value([&](ValueId id) { reads = reads || reached.contains(id); });
    if (!reads || readers.contains(c) || call.op == "aten::sym_size") continue;
    if (!reindexes(call)) return false;
    for (const auto& result : call.results) reached.insert(result.values.begin(), result.values.end());
  }
  bool ends = false;
  for (const auto& output : network.outputs)
    output.for_each_value([&](ValueId id) { ends = ends || reached.contains(id); });
  return !ends;
}

}  // namespace inn
