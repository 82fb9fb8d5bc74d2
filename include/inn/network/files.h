#pragma once
// Networks in files and from modules.
//
// Files are not trusted. Reading one, and running what was read, calls only operators that compute tensors and
// numbers from such: one that takes a path, a name or any text but a few words that are known (einsum's
// equation, padding and rounding modes, …), or that belongs to another part of torch (quantized, c10d, …), is
// refused by name before anything runs. So no file makes this library open, write or load another.

#include <torch/nn/module.h>

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "inn/network/network.h"

namespace inn {

/// Reads an archive that `torch.export.save` wrote, static or dynamic, to the CPU. Parameters keep
/// requires_grad.
///
/// Subgraphs of `torch.no_grad` and of a disabled autocast are inlined; runtime assertions are left out.
/// Tensors are views of memory of the archive's own layout: strides, offsets, and shared storages are kept,
/// and every record's checksum holds. Throws std::runtime_error, naming the file and what is wrong, for a
/// missing, damaged, hostile or foreign file (so for NaN in a parameter or persistent buffer), and
/// std::invalid_argument naming call and module for what is not supported (control flow, autocast, operators
/// that this libtorch lacks, quantized ones, custom objects).
Network read_pt2(const std::filesystem::path& path);
/// The same from a stream that can seek; messages call it `name`.
Network read_pt2(std::istream& stream, const std::string& name);

struct WritePt2Options {
  /// Make axis 0 of every input dynamic where the source was static. Needs sizes that follow the batch: the
  /// network is run at three batch sizes to find how, and std::invalid_argument names the call that does not.
  bool dynamic_batch = false;
};
/// Writes an archive that Python's `torch.export.load(path).module()` runs with equal outputs, on the CPU.
///
/// Dynamic sizes of the source stay dynamic; size expressions become numbers, or nodes where they follow a
/// dynamic axis. Sample inputs are zeros. Written beside `path` and renamed: on failure (std::runtime_error
/// with the system's reason) nothing is left behind and an older file stays as it was.
void write_pt2(const Network& network, const std::filesystem::path& path, const WritePt2Options& options);
void write_pt2(const Network& network, const std::filesystem::path& path);
/// The same into a stream, which need not seek; messages call it `name`.
void write_pt2(const Network& network, std::ostream& stream, const std::string& name);

/// Reads a TorchScript file by running its `forward` on `examples`, in eval mode, and recording the operators.
/// As `trace`, it runs twice.
///
/// Sizes that the script computes are then numbers, as in a static export, and a branch that only asserts is
/// left out. Its code is checked before any of it runs. Throws std::runtime_error naming a missing, damaged or
/// foreign file, std::invalid_argument for control flow, for operators that do not compute, and for classes
/// that are made by code of their own (`__setstate__`) or by torch (packed weights).
Network read_torchscript(const std::filesystem::path& path, const std::vector<at::Tensor>& examples);
/// Writes a TorchScript file with one method `forward` (several outputs as a tuple), and the network's extra
/// files. Names of parameters and buffers stay; sizes follow the input where they are size expressions.
void write_torchscript(const Network& network, const std::filesystem::path& path);

/// Traces a C++ module: `call` runs it on the examples, without gradients, and its operators are recorded.
///
/// An example is a tensor, or a tuple or list of tensors; the network's inputs are these tensors in order. Its
/// outputs are the tensors that `call` gives: one, or those in tuples, lists and dictionaries. Named parameters
/// and buffers become the state, as copies; the module stays as it was, where `call` throws too. Calls are
/// named after the module whose parameter they read. Sizes are numbers, as in a static export, and `training`
/// flags those of the module.
/// `call` runs twice, the second time on other values: std::invalid_argument names the call where what it does
/// depends on data (a number read out of a tensor, `x.data_ptr()`, another thread's work).
Network trace(const torch::nn::Module& module,
              const std::function<c10::IValue(const std::vector<c10::IValue>&)>& call,
              const std::vector<c10::IValue>& examples);
/// The same for one tensor and one output.
Network trace(const torch::nn::Module& module, const std::function<at::Tensor(const at::Tensor&)>& call,
              const at::Tensor& example);

}  // namespace inn
