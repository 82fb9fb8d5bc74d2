#pragma once
// Networks in files and from modules.

#include <torch/nn/module.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "inn/network/network.h"

namespace inn {

/// Reads an archive that `torch.export.save` wrote, static or dynamic. Parameters keep requires_grad.
/// Throws std::runtime_error, naming the file and what is wrong, for a missing, damaged, hostile or foreign file, and
/// std::invalid_argument naming call and module for what is not supported (control flow, quantized operators).
Network read_pt2(const std::filesystem::path& path);

struct WritePt2Options {
  /// Make axis 0 of every input dynamic where the source was static. Needs sizes that follow the batch.
  bool dynamic_batch = false;
};
/// Writes an archive that Python's `torch.export.load(path).module()` runs with equal outputs. Written beside and renamed.
void write_pt2(const Network& network, const std::filesystem::path& path, const WritePt2Options& options);
void write_pt2(const Network& network, const std::filesystem::path& path);

/// Reads a TorchScript file by running its `forward` once on `examples` (inlined, frozen shapes where the script has them).
Network read_torchscript(const std::filesystem::path& path, const std::vector<at::Tensor>& examples);
/// Writes a TorchScript file with one method `forward`.
void write_torchscript(const Network& network, const std::filesystem::path& path);

/// Traces a C++ module: `call` runs it on the inputs. Its named parameters and buffers become the state.
Network trace(const torch::nn::Module& module, const std::function<at::Tensor(const at::Tensor&)>& call,
              const at::Tensor& example);

}  // namespace inn
