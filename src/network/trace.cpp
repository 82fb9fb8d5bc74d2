#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "inn/network/files.h"
#include "inn/network/training_arguments.h"
#include "recorder.h"

namespace inn {

Network trace(const torch::nn::Module& module, const std::function<at::Tensor(const at::Tensor&)>& call,
              const at::Tensor& example) {
  Recorder recorder;
  std::vector<std::pair<at::Tensor, at::Tensor>> buffers;
  for (const auto& item : module.named_parameters())
    recorder.add_state(item.key(), StateEntry::Kind::parameter, item.value());
  for (const auto& item : module.named_buffers()) {
    recorder.add_state(item.key(), StateEntry::Kind::buffer, item.value());
    buffers.emplace_back(item.value(), item.value().detach().clone());
  }
  recorder.add_input("x", example);
  auto network = recorder.record([&] { return c10::IValue(call(example)); });
  // The run may have moved batch norm's statistics.
  at::NoGradGuard no_grad;
  for (auto& [buffer, before] : buffers) buffer.copy_(before);
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

}  // namespace inn
