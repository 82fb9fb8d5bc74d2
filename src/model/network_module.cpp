#include "inn/model/network_module.h"

#include <fmt/ranges.h>

#include "inn/core/error.h"
#include "inn/network/convert_dtype.h"

namespace inn {
namespace {

/// A module that only holds others and their tensors: "layer1" and "layer1.0" of "layer1.0.conv1.weight".
class Scope : public torch::nn::Module {
 public:
  /// Puts the tensor in the place of the parameter of that name. False where there is none.
  bool replace(const std::string& name, const at::Tensor& tensor) {
    auto* parameter = parameters_.find(name);
    if (parameter != nullptr) *parameter = tensor;
    return parameter != nullptr;
  }
  void forget(const std::string& name) { parameters_.erase(name); }
};

/// Converts the tensor in place, and its gradient. torch::nn::Module::to would make numbers with a point of
/// indices and masks too, and real ones of complex ones.
void convert(at::Tensor& tensor, torch::Dtype dtype, bool non_blocking) {
  const auto wanted = converted_dtype(tensor.scalar_type(), dtype);
  if (wanted == tensor.scalar_type()) return;
  const at::Tensor gradient = tensor.grad();
  tensor.set_data(tensor.detach().to(wanted, non_blocking));
  if (gradient.defined()) tensor.mutable_grad() = gradient.to(wanted, non_blocking);
}

}  // namespace

NetworkModuleImpl::NetworkModuleImpl(Network network)
    : NetworkModuleImpl(std::make_shared<Network>(std::move(network))) {}

NetworkModuleImpl::NetworkModuleImpl(std::shared_ptr<Network> network)
    : torch::nn::Module("Network"), held_(std::move(network)), network_(*held_) {
  for (auto& entry : network_.state) {
    // A tensor that is computed of others can't be a parameter.
    if (entry.tensor.requires_grad() && !entry.tensor.is_leaf())
      entry.tensor = entry.tensor.detach().requires_grad_();
    register_dotted(entry.name, entry.tensor, entry.kind);
  }
}

void NetworkModuleImpl::register_dotted(const std::string& name, const at::Tensor& tensor,
                                        StateEntry::Kind kind) {
  torch::nn::Module* module = this;
  size_t begin = 0;
  for (size_t dot = name.find('.'); dot != std::string::npos; begin = dot + 1, dot = name.find('.', begin)) {
    const auto part = name.substr(begin, dot - begin);
    const auto children = module->named_children();
    const auto* child = children.find(part);
    module = child ? child->get() : module->register_module(part, std::make_shared<Scope>()).get();
  }
  const auto leaf = name.substr(begin);
  if (auto* scope = dynamic_cast<Scope*>(module); scope != nullptr && scope->replace(leaf, tensor)) return;
  if (auto* parameter = parameters_.find(leaf); module == this && parameter != nullptr) {
    *parameter = tensor;
    return;
  }
  if (kind == StateEntry::Kind::parameter) {
    module->register_parameter(leaf, tensor, tensor.requires_grad());
  } else {
    module->register_buffer(leaf, tensor);
  }
}

void NetworkModuleImpl::unregister_dotted(const std::string& name) {
  const auto modules = named_modules(/*name_prefix=*/"", /*include_self=*/false);
  const auto dot = name.rfind('.');
  const auto* module = dot == std::string::npos ? nullptr : modules.find(name.substr(0, dot));
  auto* scope = module == nullptr ? nullptr : dynamic_cast<Scope*>(module->get());
  require(scope != nullptr, "model", "There is no registered parameter '{}'.", name);
  scope->forget(name.substr(dot + 1));
}

std::vector<c10::IValue> NetworkModuleImpl::run(const std::vector<c10::IValue>& inputs) {
  return network_.forward(inputs);
}

at::Tensor NetworkModuleImpl::forward(const at::Tensor& input) {
  const auto outputs = run({input});
  require(outputs.size() == 1 && outputs[0].isTensor(), "model",
          "The network returns {} outputs, but forward(tensor) requires one tensor. Use run().",
          outputs.size());
  return outputs[0].toTensor();
}

void NetworkModuleImpl::train(bool on) {
  torch::nn::Module::train(on);
  network_.set_training(on);
}

// torch moves each tensor in place, so the network's handles move along; its calls may name dtype and device
// too.
void NetworkModuleImpl::to(torch::Device device, torch::Dtype dtype, bool non_blocking) {
  to(dtype, non_blocking);
  to(device, non_blocking);
}

void NetworkModuleImpl::to(torch::Dtype dtype, bool non_blocking) {
  Network moved = network_;
  moved.to(dtype);
  for (auto& parameter : parameters()) convert(parameter, dtype, non_blocking);
  for (auto& buffer : buffers()) convert(buffer, dtype, non_blocking);
  for (size_t s = 0; s < moved.state.size(); ++s) moved.state[s].tensor = network_.state[s].tensor;
  network_ = std::move(moved);
}

void NetworkModuleImpl::to(torch::Device device, bool non_blocking) {
  Network moved = network_;
  moved.to(device);
  torch::nn::Module::to(device, non_blocking);
  for (size_t s = 0; s < moved.state.size(); ++s) moved.state[s].tensor = network_.state[s].tensor;
  network_ = std::move(moved);
}

void NetworkModuleImpl::share_tensors(const std::vector<at::Tensor>& tensors) {
  require(tensors.size() == network_.state.size(), "model", "The network has {} state tensors but got {}.",
          network_.state.size(), tensors.size());
  for (size_t s = 0; s < tensors.size(); ++s) {
    const auto& entry = network_.state[s];
    require(tensors[s].defined() && tensors[s].sizes() == entry.tensor.sizes(), "model",
            "'{}' must have sizes [{}] but got {}.", entry.name, fmt::join(entry.tensor.sizes(), ", "),
            tensors[s].defined() ? fmt::format("[{}]", fmt::join(tensors[s].sizes(), ", ")) : "none");
  }
  auto registered = named_buffers();
  for (size_t s = 0; s < tensors.size(); ++s) {
    auto& entry = network_.state[s];
    if (entry.tensor.is_same(tensors[s])) continue;
    entry.tensor = tensors[s];
    // torch lets no one replace a registered buffer, but it can share another's memory.
    if (auto* buffer = registered.find(entry.name))
      buffer->set_data(entry.tensor.detach());
    else
      register_dotted(entry.name, entry.tensor, entry.kind);
  }
}

void NetworkModuleImpl::to_channels_last() {
  Network laid_out = network_;
  laid_out.to_channels_last();
  for (size_t s = 0; s < laid_out.state.size(); ++s)
    network_.state[s].tensor.set_data(laid_out.state[s].tensor);
}

}  // namespace inn
