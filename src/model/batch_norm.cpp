#include "inn/model/batch_norm.h"

#include <ATen/ATen.h>
#include <ATen/core/function_schema.h>
#include <ATen/core/grad_mode.h>

#include <map>
#include <set>

#include "batch_norm_arguments.h"
#include "inn/core/error.h"

namespace inn {
namespace {

using namespace batch_norm;

bool has_statistics(const Call& call) {
  return call.op == "aten::batch_norm" && call.arguments[kMean].is_value() &&
         call.arguments[kVariance].is_value();
}

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

  std::optional<size_t> layer_before(const Call& norm) const {
    if (!has_statistics(norm) || !norm.arguments[kInput].is_value()) return std::nullopt;
    const auto made = made_by_.find(norm.arguments[kInput].value());
    if (made == made_by_.end() || uses_[made->first] != 1) return std::nullopt;
    const Call& layer = network_.calls[made->second];
    const bool known = layer.op == "aten::linear" || layer.op == "aten::conv1d" ||
                       layer.op == "aten::conv2d" || layer.op == "aten::conv3d";
    if (!known) return std::nullopt;
    for (const size_t place : {size_t{1}, size_t{2}}) {
      const auto& tensor = layer.arguments[place];
      if (tensor.is_none() && place == 2) continue;
      if (!tensor.is_value() || !network_.state_of(tensor.value()) || uses_[tensor.value()] != 1)
        return std::nullopt;
    }
    for (const size_t place : {kWeight, kBias, kMean, kVariance}) {
      const auto& tensor = norm.arguments[place];
      if (tensor.is_value() ? !network_.state_of(tensor.value()) : !tensor.is_none()) return std::nullopt;
    }
    return made->second;
  }

 private:
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
  const Folding folding(source);
  std::vector<bool> dropped(network.calls.size());
  for (size_t c = 0; c < network.calls.size(); ++c) {
    const Call norm = network.calls[c];
    const auto at = folding.layer_before(norm);
    if (!at) continue;
    Call& layer = network.calls[*at];
    auto& weight = network.state[network.state_of(layer.arguments[1].value()).value()].tensor;
    const auto mean = tensor_of(network, norm.arguments[kMean], {});
    const auto variance = tensor_of(network, norm.arguments[kVariance], {});
    const auto gain = tensor_of(network, norm.arguments[kWeight], at::ones_like(mean));
    const auto shift = tensor_of(network, norm.arguments[kBias], at::zeros_like(mean));
    const auto bias = tensor_of(network, layer.arguments[2], at::zeros_like(mean));
    // In float64, so that folding adds no more error than one rounding of each weight.
    const auto wide = [](const at::Tensor& tensor) { return tensor.to(at::kDouble); };
    const double epsilon = norm.arguments[kEpsilon].constant().toDouble();
    const auto scale = wide(gain) * (wide(variance) + epsilon).rsqrt();
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
    layer.results = norm.results;
    dropped[c] = true;
  }
  drop_calls(network, dropped);
  return network;
}

void recalibrate_batch_norm(Network& network, const std::function<std::optional<at::Tensor>()>& next_batch) {
  at::NoGradGuard no_grad;
  Network measured = network;  // shares the tensors, so the statistics are written into the network's own
  measured.set_training(false);
  std::vector<Call*> norms;
  for (auto& call : measured.calls)
    if (has_statistics(call)) norms.push_back(&call);
  if (norms.empty()) return;
  int64_t count = 0;
  for (auto batch = next_batch(); batch; batch = next_batch()) {
    // A momentum of 1/k makes the running statistics the mean over k batches, whatever they were before.
    ++count;
    for (auto* call : norms) {
      call->arguments[kTraining] = Argument(c10::IValue(true));
      call->arguments[kMomentum] = Argument(c10::IValue(1.0 / static_cast<double>(count)));
    }
    measured.forward({*batch});
  }
  require(count > 0, "model", "Recalibration: at least one batch is required but there is none.");
}

}  // namespace inn
