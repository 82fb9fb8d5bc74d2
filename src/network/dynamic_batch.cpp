#include "inn/network/dynamic_batch.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <array>

#include "inn/core/checked_integer.h"
#include "inn/core/error.h"

namespace inn {
namespace {

constexpr std::array<int64_t, 3> kBatches = {3, 5, 11};  // primes, so that few sizes divide them
constexpr const char* kSymbol = "s0";

/// The sizes of all values at one batch size: of tensors their axes, of integers the number.
using Sizes = std::vector<std::vector<int64_t>>;

Sizes run_at(const Network& network, int64_t batch) {
  Network observed = network.clone();
  // Integers are not observed, so they are added to the outputs.
  observed.outputs.clear();
  std::vector<ValueId> integers;
  for (const auto& call : network.calls)
    for (const auto& result : call.results)
      for (const auto value : result.values)
        if (network.values[value].kind == Value::Kind::integer) integers.push_back(value);
  for (const auto value : integers) observed.outputs.emplace_back(ValueRef{value});

  std::vector<c10::IValue> inputs;
  for (const auto input : network.inputs) {
    const auto& value = network.values[input];
    require(value.kind == Value::Kind::tensor && !value.sizes.empty(), "network",
            "Dynamic batch: input '{}' has no axis 0.", value.name);
    auto sizes = value.sizes;
    sizes[0] = batch;
    inputs.emplace_back(at::zeros(
        sizes,
        at::TensorOptions(value.dtype)
            .device(network.state.empty() ? c10::Device(c10::kCPU) : network.state[0].tensor.device())));
  }
  Sizes sizes(network.values.size());
  Network::ForwardOptions options;
  options.observe = [&](ValueId id, const at::Tensor& tensor) { sizes[id] = tensor.sizes().vec(); };
  at::NoGradGuard no_grad;
  const auto outputs = observed.forward(inputs, observed.tensors(), options);
  for (size_t i = 0; i < integers.size(); ++i) sizes[integers[i]] = {outputs[i].toInt()};
  return sizes;
}

/// Returns the formula of a size from its values at the three batches, "" if it is fixed.
std::string fitted(const std::array<int64_t, 3>& sizes, const std::string& who) {
  const auto [a, b, c] = kBatches;
  if (sizes[0] == sizes[1] && sizes[1] == sizes[2]) return "";
  const auto slope = checked_subtract(sizes[1], sizes[0]) / (b - a),
             offset = checked_subtract(sizes[0], checked_multiply(slope, a));
  const auto at = [&](int64_t batch) { return checked_add(offset, checked_multiply(slope, batch)); };
  require(at(b) == sizes[1] && at(c) == sizes[2], "network",
          "Dynamic batch: a size of '{}' is not an affine function of the batch.", who);
  auto formula = fmt::format("Symbol('{}', positive=True, integer=True)", kSymbol);
  if (slope != 1) formula = fmt::format("Mul(Integer({}), {})", slope, formula);
  return offset == 0 ? formula : fmt::format("Add({}, Integer({}))", formula, offset);
}

}  // namespace

Network with_dynamic_batch(const Network& network) {
  const auto is_dynamic = [&](ValueId input) {
    const auto& formulas = network.values[input].formulas;
    return !formulas.empty() && !formulas[0].empty();
  };
  if (std::any_of(network.inputs.begin(), network.inputs.end(), is_dynamic)) return network;
  std::vector<Sizes> runs;
  for (const auto batch : kBatches) {
    try {
      runs.push_back(run_at(network, batch));
    } catch (const std::runtime_error& error) {
      raise("network", "Dynamic batch: the network does not run at batch size {}: {}", batch, error.what());
    }
  }
  Network dynamic = network;
  for (size_t id = 0; id < network.values.size(); ++id) {
    auto& value = dynamic.values[id];
    const auto formula = [&](size_t axis) {
      return fitted({runs[0][id][axis], runs[1][id][axis], runs[2][id][axis]}, value.name);
    };
    const auto rank = runs[0][id].size();
    require(runs[1][id].size() == rank && runs[2][id].size() == rank, "network",
            "Dynamic batch: the number of axes of '{}' depends on the batch.", value.name);
    if (value.kind == Value::Kind::integer && rank == 1) value.formula = formula(0);
    if (value.kind != Value::Kind::tensor || rank != value.sizes.size()) continue;
    value.formulas.resize(rank);
    for (size_t axis = 0; axis < rank; ++axis) value.formulas[axis] = formula(axis);
  }
  dynamic.ranges[kSymbol] = {1, std::nullopt};
  return dynamic;
}

}  // namespace inn
