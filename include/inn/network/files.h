#pragma once
// Reading and writing networks, and tracing modules.

#include <torch/nn/module.h>

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "inn/network/network.h"

namespace inn {

/// Reads an archive written by `torch.export.save`, with static or dynamic sizes, to the CPU. Parameters keep
/// requires_grad.
///
/// Subgraphs of `torch.no_grad` and of a disabled autocast are inlined; runtime assertions are dropped.
/// Strides, offsets and shared storages of tensors are kept, and every record's checksum is verified. Throws
/// std::runtime_error, naming the file and the error, for a missing, corrupt or invalid file (including NaN
/// in a parameter or persistent buffer), and std::invalid_argument naming call and module for unsupported
/// features (control flow, autocast, operators that this libtorch lacks, quantized ones, custom objects).
Network read_pt2(const std::filesystem::path& path);
/// The same from a seekable stream, called `name` in messages.
Network read_pt2(std::istream& stream, const std::string& name);

struct WritePt2Options {
  /// Make axis 0 of every input dynamic if the source was static. The network is run at three batch sizes to
  /// determine how sizes depend on the batch; std::invalid_argument names a call that fails.
  bool dynamic_batch = false;
};
/// Writes an archive that `torch.export.load(path).module()` runs in Python with equal outputs, on the CPU.
///
/// Dynamic sizes of the source stay dynamic; size expressions become numbers, or graph nodes if they depend
/// on a dynamic axis. Sample inputs are zeros. Written atomically: on failure (std::runtime_error with the
/// system's reason) nothing is left behind and an existing file is unchanged.
void write_pt2(const Network& network, const std::filesystem::path& path, const WritePt2Options& options);
void write_pt2(const Network& network, const std::filesystem::path& path);
/// The same to a stream, which need not be seekable, called `name` in messages.
void write_pt2(const Network& network, std::ostream& stream, const std::string& name);

/// Reads a TorchScript file by running its `forward` once on `examples`, in eval mode, and recording the
/// operators.
///
/// Sizes that the script computes become constants, as in a static export, and branches that only assert are
/// dropped. Throws std::runtime_error naming a missing or invalid file, std::invalid_argument for control
/// flow.
Network read_torchscript(const std::filesystem::path& path, const std::vector<at::Tensor>& examples);
/// Writes a TorchScript file with one method `forward` (several outputs as a tuple), and the network's extra
/// files. Names of parameters and buffers are kept; size expressions are computed from the input.
void write_torchscript(const Network& network, const std::filesystem::path& path);

/// Traces a C++ module: `call` runs it once on the example, without gradients, and its operators are
/// recorded.
///
/// Copies of its named parameters and buffers become the state; the module is not changed. Calls are named
/// after the module whose parameter they use. Sizes are constants, as in a static export, and `training`
/// flags are those of the module. Throws std::invalid_argument where `call` reads a number out of a tensor
/// that depends on its input.
Network trace(const torch::nn::Module& module, const std::function<at::Tensor(const at::Tensor&)>& call,
              const at::Tensor& example);

}  // namespace inn
