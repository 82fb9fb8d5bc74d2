#include <ATen/ATen.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/python/update_graph_executor_opt.h>

#include "inn/core/error.h"
#include "inn/core/zip_archive.h"
#include "inn/network/files.h"
#include "inn/network/training_arguments.h"
#include "recorder.h"
#include "script_module.h"

namespace inn {
namespace {

/// Whether the block ends in an exception: an assertion of the source.
bool raises(const torch::jit::Block& block) {
  for (const auto* node : block.nodes())
    if (node->kind() == torch::jit::prim::RaiseException) return true;
  return false;
}

void refuse_control_flow(torch::jit::Block& block) {
  for (auto* node : block.nodes()) {
    const bool is_branch = node->kind() == torch::jit::prim::If;
    const bool is_assertion = is_branch && (raises(*node->blocks()[0]) || raises(*node->blocks()[1]));
    require(node->kind() != torch::jit::prim::Loop && (!is_branch || is_assertion), "network",
            "control flow is not supported: {}, {}", node->kind().toQualString(),
            node->sourceRange().str().substr(0, 200));
    for (auto* inner : node->blocks())
      if (!is_assertion) refuse_control_flow(*inner);
  }
}

/// Without torch's graph optimizer, so that exactly the file's operators run.
class Unoptimized {
 public:
  Unoptimized() : was_(torch::jit::getGraphExecutorOptimize()) {
    torch::jit::setGraphExecutorOptimize(false);
  }
  ~Unoptimized() { torch::jit::setGraphExecutorOptimize(was_); }

 private:
  bool was_;
};

Network record_forward(torch::jit::Module module, const std::vector<at::Tensor>& examples) {
  module.eval();
  // Branches on module attributes are resolved only in a frozen copy.
  const auto frozen = torch::jit::freeze(module);
  const auto graph = frozen.get_method("forward").graph();
  torch::jit::Inline(*graph);
  refuse_control_flow(*graph->block());

  Recorded recorded;
  for (const auto& item : module.named_parameters())
    recorded.state.push_back({item.name, StateEntry::Kind::parameter, item.value});
  for (const auto& item : module.named_buffers())
    recorded.state.push_back({item.name, StateEntry::Kind::buffer, item.value});
  recorded.function = [&](const std::vector<c10::IValue>& inputs) { return module.forward(inputs); };
  const Unoptimized unoptimized;
  Network network = record(recorded, {examples.begin(), examples.end()});
  keep_training_arguments(network, SourceMode::evaluation);
  return network;
}

}  // namespace

Network read_torchscript(const std::filesystem::path& path, const std::vector<at::Tensor>& examples) {
  const auto unmarked = [](std::string what) {
    constexpr std::string_view mark = "[network] ";
    return what.starts_with(mark) ? what.substr(mark.size()) : what;
  };
  try {
    return record_forward(read_script_module(ZipArchive(path)), examples);
  } catch (const std::invalid_argument& error) {
    raise("network", "File '{}': {}", path.string(), unmarked(error.what()));
  } catch (const c10::Error& error) {
    raise<std::runtime_error>("network", "File '{}': {}", path.string(), error.what_without_backtrace());
  } catch (const std::exception& error) {
    raise<std::runtime_error>("network", "File '{}': {}", path.string(), unmarked(error.what()));
  }
}

}  // namespace inn
