#include "inn/cost/cost.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <map>
#include <set>

#include "inn/core/error.h"
#include "inn/cost/formula.h"
#include "live_memory.h"

namespace inn {
namespace {

struct Measured {
  std::vector<Sizes> sizes;  // by value
  PeakMemory peak;
};

/// Runs the network and returns the sizes of all its tensors, and the most memory that they took at one time.
Measured measure(const Network& source, const std::vector<c10::IValue>& inputs) {
  const at::NoGradGuard no_grad;
  Network network = source;
  network.set_training(false);
  std::vector<Sizes> sizes(network.values.size());
  LiveMemory memory(network);
  for (const auto& entry : network.state) sizes[entry.value] = entry.tensor.sizes().vec();
  const auto tensors = network.tensors();
  network.forward(inputs, tensors, {.observe = [&](ValueId value, const at::Tensor& tensor) {
                    sizes[value] = tensor.sizes().vec();
                    memory.observe(value, tensor);
                  }});
  return {std::move(sizes), memory.peak()};
}

std::string name_of(const Network& network, const Call& call) {
  if (!call.module.empty()) return call.module;
  for (const auto& result : call.results)
    if (!result.values.empty()) return network.values[result.values.front()].name;
  return "";
}

std::string type_of(const Call& call) {
  const auto colon = call.op.rfind(':');
  return colon == std::string::npos ? call.op : call.op.substr(colon + 1);
}

}  // namespace

CostReport cost_of(const Network& network, const std::vector<c10::IValue>& inputs) {
  const auto [sizes, peak] = measure(network, inputs);
  std::map<std::string, const CostFormula*> formulas;
  for (const auto& formula : cost_formulas()) formulas.emplace(formula.op, &formula);
  std::map<ValueId, int64_t> unread;  // parameters that no call has read yet
  CostReport report{.peak_memory = peak};
  for (const auto& entry : network.state) {
    if (entry.kind != StateEntry::Kind::parameter) continue;
    unread.emplace(entry.value, entry.tensor.numel());
    report.parameters += entry.tensor.numel();
  }
  for (const auto& call : network.calls) {
    LayerCost layer{.name = name_of(network, call), .type = type_of(call)};
    for (const auto& argument : call.arguments)
      argument.for_each_value([&](ValueId value) {
        if (const auto found = unread.extract(value)) layer.parameters += found.mapped();
      });
    const CallSizes call_sizes(call, sizes);
    if (const auto formula = formulas.find(call.op); formula != formulas.end())
      layer.macs = formula->second->macs(call_sizes);
    if (layer.parameters == 0 && layer.macs == 0) continue;
    layer.output_sizes = call_sizes.output();
    report.macs += layer.macs;
    report.layers.push_back(std::move(layer));
  }
  return report;
}

CostReport cost_of(const Network& network) { return cost_of(network, example_inputs(network, 1)); }

std::vector<c10::IValue> example_inputs(const Network& network, int64_t batch) {
  require(batch >= 0, "cost", "batch must be at least 1, or 0 for the network's own, but got {}.", batch);
  const auto device = network.state.empty() ? c10::Device(c10::kCPU) : network.state.front().tensor.device();
  std::vector<c10::IValue> inputs;
  for (const ValueId id : network.inputs) {
    const Value& value = network.values.at(id);
    require(value.kind == Value::Kind::tensor, "cost", "Input '{}': must be a tensor.", value.name);
    Sizes sizes = value.sizes;
    if (batch > 0 && !sizes.empty()) sizes[0] = batch;
    inputs.emplace_back(at::zeros(sizes, at::TensorOptions(value.dtype).device(device)));
  }
  return inputs;
}

}  // namespace inn
