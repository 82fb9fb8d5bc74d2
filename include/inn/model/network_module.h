#pragma once
// A network as a torch::nn::Module.

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <memory>
#include <string>
#include <vector>

#include "inn/network/network.h"

namespace inn {

/// A torch::nn::Module whose parameters and buffers are the state of a network, under their dotted names.
///
/// Optimizers, `train()`, `eval()`, `to()`, `named_parameters()` work as for any module. The module's tensors
/// are the network's.
class NetworkModuleImpl : public torch::nn::Module {
 public:
  /// Takes the network's own tensors, not copies. requires_grad of floating-point parameters is that of the
  /// network.
  explicit NetworkModuleImpl(Network network);
  NetworkModuleImpl(const NetworkModuleImpl&) = delete;
  NetworkModuleImpl& operator=(const NetworkModuleImpl&) = delete;

  /// Returns the network's outputs. In training mode batch norm, dropout and their kin behave as in training.
  virtual std::vector<c10::IValue> run(const std::vector<c10::IValue>& inputs);
  /// Runs a network with one input tensor and one output tensor.
  at::Tensor forward(const at::Tensor& input);

  void train(bool on = true) override;
  void to(torch::Device device, torch::Dtype dtype, bool non_blocking = false) override;
  void to(torch::Dtype dtype, bool non_blocking = false) override;
  void to(torch::Device device, bool non_blocking = false) override;
  /// Network::to_channels_last for this module: the parameters stay the same objects. It then trains in that
  /// memory format, in which torch's CPU convolutions are faster. Throws as that does, without changes.
  void to_channels_last();

  /// Uses these tensors as the state from now on, one for each entry of the network's state, without copying
  /// them. Throws std::invalid_argument, without changes, if a tensor has other sizes than its entry.
  void share_tensors(const std::vector<at::Tensor>& tensors);

  const Network& network() const { return network_; }

 protected:
  /// Runs a network that is owned elsewhere.
  explicit NetworkModuleImpl(std::shared_ptr<Network> network);

  /// Registers a tensor under a dotted name, creating submodules as required; replaces an existing one.
  void register_dotted(const std::string& name, const at::Tensor& tensor,
                       StateEntry::Kind kind = StateEntry::Kind::parameter);
  /// Unregisters a parameter that was registered under a dotted name.
  void unregister_dotted(const std::string& name);

 private:
  std::shared_ptr<Network> held_;

 protected:
  Network& network_;  // that which is held
};
TORCH_MODULE(NetworkModule);

}  // namespace inn
