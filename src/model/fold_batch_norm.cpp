#include "inn/model/batch_norm.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <map>
#include <set>

#include "inn/core/error.h"
#include "inn/network/batch_norm.h"

namespace inn {
namespace {

/// The convolution or linear layer that alone makes what `norm` normalizes and makes it for `norm` alone, or
/// nothing.
class Folding {
 public:
  explicit Folding(const Network& network) : network_(network) {
    uses_.resize(network.values.size());
    for (size_t c = 0; c < network.calls.size(); ++c) {
      for (const auto& argument : network.calls[c].arguments)
        argument.for_each_value([&](ValueId id) { ++uses_[id]; });
      for (const auto& result : network.calls[c].results)
        for (const auto id : result.values) made_by_[id] = c;
    }
    for (const auto& output : network.outputs) output.for_each_value([&](ValueId id) { ++uses_[id]; });
  }

  std::optional<size_t> layer_before(const Call& call) const {
    const auto norm = batch_norm_call(call);
    if (!norm || norm->uses_batch || !norm->has_running_statistics() || !norm->input.is_value())
      return std::nullopt;
    for (size_t r = 1; r < call.results.size(); ++r)
      for (const auto id : call.results[r].values)
        if (uses_[id] != 0) return std::nullopt;
    const auto made = made_by_.find(norm->input.value());
    if (made == made_by_.end() || uses_[made->first] != 1) return std::nullopt;
    const Call& layer = network_.calls[made->second];
    if (!makes_channels(layer)) return std::nullopt;
    for (const size_t place : {size_t{1}, size_t{2}}) {
      const auto& tensor = layer.arguments[place];
      if (tensor.is_none() && place == 2) continue;
      if (!tensor.is_value() || !network_.state_of(tensor.value()) || uses_[tensor.value()] != 1)
        return std::nullopt;
    }
    for (const auto* tensor : {&norm->weight, &norm->bias, &norm->running_mean, &norm->running_var})
      if (tensor->is_value() ? !network_.state_of(tensor->value()) : !tensor->is_none()) return std::nullopt;
    return made->second;
  }

 private:
  /// Whether the first axis of the layer's weight is the channels of its result.
  static bool makes_channels(const Call& layer) {
    constexpr size_t kTransposed = 6;
    if (layer.op == "aten::convolution") return !layer.arguments.at(kTransposed).constant().toBool();
    return layer.op == "aten::linear" || layer.op == "aten::conv1d" || layer.op == "aten::conv2d" ||
           layer.op == "aten::conv3d";
  }

  const Network& network_;
  std::vector<int64_t> uses_;
  std::map<ValueId, size_t> made_by_;
};

/// Removes the marked calls, and the tensors that only they read.
void drop_calls(Network& network, const std::vector<bool>& dropped) {
  std::set<ValueId> of_dropped, of_kept;
  std::vector<Call> kept;
  for (size_t c = 0; c < network.calls.size(); ++c) {
    auto& values = dropped[c] ? of_dropped : of_kept;
    for (const auto& argument : network.calls[c].arguments)
      argument.for_each_value([&](ValueId id) { values.insert(id); });
    if (!dropped[c]) kept.push_back(std::move(network.calls[c]));
  }
  network.calls = std::move(kept);
  for (const auto& output : network.outputs) output.for_each_value([&](ValueId id) { of_kept.insert(id); });
  std::erase_if(network.state, [&](const StateEntry& entry) {
    const bool counter = entry.name.ends_with("num_batches_tracked");
    return !of_kept.contains(entry.value) && (of_dropped.contains(entry.value) || counter);
  });
}

at::Tensor tensor_of(const Network& network, const Argument& argument, const at::Tensor& otherwise) {
  if (argument.is_none()) return otherwise;
  return network.state[network.state_of(argument.value()).value()].tensor.detach();
}

}  // namespace

Network fold_batch_norm(const Network& source) {
  at::NoGradGuard no_grad;
  Network network = source.clone();
  network.set_training(false);
  const Network evaluated = network;
  const Folding folding(evaluated);
  std::vector<bool> dropped(network.calls.size());
  for (size_t c = 0; c < network.calls.size(); ++c) {
    const Call& call = evaluated.calls[c];
    const auto at = folding.layer_before(call);
    if (!at) continue;
    const BatchNormCall norm = batch_norm_call(call).value();
    Call& layer = network.calls[*at];
    auto& weight = network.state[network.state_of(layer.arguments[1].value()).value()].tensor;
    const auto mean = tensor_of(network, norm.running_mean, {});
    const auto variance = tensor_of(network, norm.running_var, {});
    const auto gain = tensor_of(network, norm.weight, at::ones_like(mean));
    const auto shift = tensor_of(network, norm.bias, at::zeros_like(mean));
    const auto bias = tensor_of(network, layer.arguments[2], at::zeros_like(mean));
    // In float64, so that folding adds no more error than one rounding of each weight.
    const auto wide = [](const at::Tensor& tensor) { return tensor.to(at::kDouble); };
    const auto scale = wide(gain) * (wide(variance) + norm.epsilon).rsqrt();
    std::vector<int64_t> column(static_cast<size_t>(weight.dim()), 1);
    column[0] = -1;
    const bool learns = weight.requires_grad();
    const auto new_bias = ((wide(bias) - wide(mean)) * scale + wide(shift)).to(weight.dtype());
    weight = (wide(weight.detach()) * scale.view(column)).to(weight.dtype()).requires_grad_(learns);
    if (layer.arguments[2].is_none()) {
      const auto& weight_name = network.state[network.state_of(layer.arguments[1].value()).value()].name;
      const auto dot = weight_name.rfind('.');
      const auto name = (dot == std::string::npos ? "" : weight_name.substr(0, dot + 1)) + "bias";
      const ValueId value = network.add_value(
          {.name = "p_" + name, .dtype = weight.scalar_type(), .sizes = {new_bias.size(0)}});
      network.state.push_back({.name = name, .kind = StateEntry::Kind::parameter, .value = value});
      network.state.back().tensor = new_bias.clone().requires_grad_(learns);
      layer.arguments[2] = Argument(ValueRef{value});
    } else {
      network.state[network.state_of(layer.arguments[2].value()).value()].tensor =
          new_bias.clone().requires_grad_(learns);
    }
    layer.results = {call.results[0]};
    dropped[c] = true;
  }
  drop_calls(network, dropped);
  return network;
}

}  // namespace inn
