#include "inn/network/network.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "inn/core/error.h"
#include "leaf.h"

namespace inn {

void Network::to_channels_last() {
  std::vector<at::Tensor> laid_out = tensors();
  for (auto& tensor : laid_out)
    if (tensor.dim() == 4)
      tensor =
          as_leaf(tensor, [](const at::Tensor& t) { return t.contiguous(at::MemoryFormat::ChannelsLast); });
  const auto device = state.empty() ? c10::Device(c10::kCPU) : state.front().tensor.device();
  std::vector<c10::IValue> zeros;
  for (const auto input : inputs) {
    const auto& value = values[static_cast<size_t>(input)];
    require(value.kind == Value::Kind::tensor, "network", "to_channels_last: input '{}' must be a tensor.",
            value.name);
    zeros.emplace_back(at::zeros(value.sizes, at::TensorOptions(value.dtype).device(device)));
  }
  try {
    const at::NoGradGuard no_grad;
    Network trial = *this;
    trial.set_training(false);
    trial.forward(zeros, laid_out, {});
  } catch (const std::runtime_error& error) {
    raise("network", "The network cannot be converted to channels last: {}", error.what());
  }
  for (size_t s = 0; s < state.size(); ++s) state[s].tensor = laid_out[s];
}

Network Network::clone() const {
  Network copy = *this;
  for (auto& entry : copy.state)
    entry.tensor = as_leaf(entry.tensor, [](const at::Tensor& tensor) { return tensor.clone(); });
  return copy;
}

std::vector<at::Tensor> Network::tensors() const {
  std::vector<at::Tensor> tensors;
  tensors.reserve(state.size());
  for (const auto& entry : state) tensors.push_back(entry.tensor);
  return tensors;
}

size_t Network::find_state(const std::string& name) const {
  std::vector<std::string> names;
  for (size_t i = 0; i < state.size(); ++i) {
    const auto& aliases = state[i].aliases;
    if (state[i].name == name || std::find(aliases.begin(), aliases.end(), name) != aliases.end()) return i;
    names.push_back(state[i].name);
    names.insert(names.end(), aliases.begin(), aliases.end());
  }
  raise("network", "The state has no tensor '{}'.{}", name, nearest_names(name, names));
}

std::optional<size_t> Network::state_of(ValueId value) const {
  for (size_t i = 0; i < state.size(); ++i)
    if (state[i].value == value) return i;
  return std::nullopt;
}

ValueId Network::add_value(Value value) {
  values.push_back(std::move(value));
  return static_cast<ValueId>(values.size() - 1);
}

}  // namespace inn
