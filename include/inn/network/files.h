#pragma once
// Reading and writing networks, and tracing modules.
//
// Files are not trusted. A network that was read calls only operators that compute tensors and numbers.
// Operators that take a path, a name or any text other than known keywords (einsum's equation, padding and
// rounding modes, …), and operators of other parts of torch (quantized, c10d, …), are rejected by name before
// anything runs. No file can therefore make this library open, write or load another file.

#include <torch/nn/module.h>

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "inn/core/zip_archive.h"
#include "inn/network/network.h"

namespace inn {

/// Reads an archive written by `torch.export.save`, with static or dynamic sizes, to the CPU. Parameters keep
/// requires_grad.
///
/// Subgraphs of `torch.no_grad` and of a disabled autocast are inlined; runtime assertions are dropped.
/// Strides, offsets and shared storages of tensors are kept, and every record's checksum is verified. Throws
/// std::runtime_error, naming the file and the error, for a missing, corrupt or invalid file (including NaN
/// in a parameter or persistent buffer), and std::invalid_argument naming call and module for unsupported
/// features (control flow, autocast, operators that this libtorch lacks, quantized ones, custom objects). With
/// FileBytes::mapped, weights of a large file stay in it: memory is taken for what is in use.
Network read_pt2(const std::filesystem::path& path, FileBytes bytes = FileBytes::read);
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

/// Reads a TorchScript file by running its `forward` on `examples`, in eval mode, and recording the operators.
/// Like `trace`, it runs it twice.
///
/// Sizes computed by the script become numbers, as in a static export; branches that only assert are omitted.
/// The code is checked before any of it runs. Throws std::runtime_error naming a missing, corrupt or invalid
/// file, std::invalid_argument for control flow, for operators that are not allowed, and for classes that are
/// constructed by their own code (`__setstate__`) or by torch (packed weights).
Network read_torchscript(const std::filesystem::path& path, const std::vector<at::Tensor>& examples);
/// Writes a TorchScript file with one method `forward` (several outputs as a tuple), and the network's extra
/// files. Names of parameters and buffers are kept; size expressions are computed from the input.
void write_torchscript(const Network& network, const std::filesystem::path& path);

struct ReadOnnxOptions {
  /// The sizes of each input in the example. Empty: those of the model, and 2 for a batch of open size.
  std::vector<std::vector<int64_t>> input_sizes = {};
};
/// Reads an ONNX model (opset 11 to 23) with float weights, by running it once on zeros and recording torch's operators.
///
/// Floating-point initializers are parameters, and keep their names; a matrix of linear layers alone is stored as torch stores it,
/// transposed, under its name (with ".T", or without if it ends so). Nodes that weights and sizes alone determine become constants.
/// Sizes that the model leaves open stay so where all sizes of the network are sums of products of them; others are those of the
/// example. A branch (`If`) whose condition is known is taken; Loop and Scan, quantized and other domains' operators are
/// refused. Weights in other files must be in the model's folder or below it.
///
/// Throws std::runtime_error naming the file and the error for a missing, corrupt or invalid file, std::invalid_argument naming
/// the node for what is not supported, and an input whose sizes are open and not given.
Network read_onnx(const std::filesystem::path& path, const ReadOnnxOptions& options);
Network read_onnx(const std::filesystem::path& path);

struct WriteOnnxOptions {
  int64_t opset = 20;  // 18 to 23
};
/// Writes an ONNX model (IR version 10) that computes the same in evaluation mode. Dynamic sizes stay dynamic; names of inputs,
/// parameters and results are kept. Weights of more than 1 GB go to a second file, PATH.data.
///
/// Throws std::invalid_argument naming an operator and its module that cannot be written. Atomic, as write_pt2.
void write_onnx(const Network& network, const std::filesystem::path& path, const WriteOnnxOptions& options);
void write_onnx(const Network& network, const std::filesystem::path& path);

/// Traces a C++ module: `call` runs it on the examples, without gradients, and its operators are recorded.
///
/// An example is a tensor, or a tuple or list of tensors; the network's inputs are these tensors in order. Its
/// outputs are the tensors that `call` returns: one, or those in tuples, lists and dictionaries. Named
/// parameters and buffers are copied into the state; the module is not changed, even if `call` throws. Calls
/// are named after the module whose parameter they read. Sizes are numbers, as in a static export; `training`
/// flags are those of the module.
/// `call` runs twice, the second time on other values: std::invalid_argument names the first call that depends
/// on data (a number read from a tensor, `x.data_ptr()`, another thread's work).
Network trace(const torch::nn::Module& module,
              const std::function<c10::IValue(const std::vector<c10::IValue>&)>& call,
              const std::vector<c10::IValue>& examples);
/// The same for one tensor and one output.
Network trace(const torch::nn::Module& module, const std::function<at::Tensor(const at::Tensor&)>& call,
              const at::Tensor& example);

}  // namespace inn
