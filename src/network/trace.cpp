#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "inn/network/files.h"
#include "inn/network/training_arguments.h"
#include "recorder.h"

namespace inn {
namespace {

/// Restores a module's buffers: a run may update batch norm's statistics.
class BuffersKept {
 public:
  explicit BuffersKept(const torch::nn::Module& module) {
    for (const auto& item : module.named_buffers())
      buffers_.emplace_back(item.value(), item.value().detach().clone());
  }
  ~BuffersKept() { restore(); }
  void restore() {
    at::NoGradGuard no_grad;
    for (auto& [buffer, before] : buffers_) buffer.copy_(before);
  }

 private:
  std::vector<std::pair<at::Tensor, at::Tensor>> buffers_;
};

}  // namespace

Network trace(const torch::nn::Module& module,
              const std::function<c10::IValue(const std::vector<c10::IValue>&)>& call,
              const std::vector<c10::IValue>& examples) {
  BuffersKept buffers(module);
  Recorded recorded;
  for (const auto& item : module.named_parameters())
    recorded.state.push_back({item.key(), StateEntry::Kind::parameter, item.value()});
  for (const auto& item : module.named_buffers())
    recorded.state.push_back({item.key(), StateEntry::Kind::buffer, item.value()});
  recorded.restore = [&] { buffers.restore(); };
  recorded.function = call;
  auto network = record(recorded, examples);
  std::map<std::string, std::string> types;
  // Without the module itself, so that one on the stack can be traced too.
  for (const auto& item : module.named_modules("", /*include_self=*/false))
    types[item.key()] = item.value()->name();
  for (auto& made : network.calls)
    if (const auto found = types.find(made.module); found != types.end() && !made.module.empty())
      made.module_type = found->second;
  keep_training_arguments(network, module.is_training() ? SourceMode::training : SourceMode::evaluation);
  return network;
}

Network trace(const torch::nn::Module& module, const std::function<at::Tensor(const at::Tensor&)>& call,
              const at::Tensor& example) {
  return trace(
      module, [&](const std::vector<c10::IValue>& inputs) { return c10::IValue(call(inputs[0].toTensor())); },
      std::vector<c10::IValue>{example});
}

}  // namespace inn
