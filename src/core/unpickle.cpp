#include "inn/core/unpickle.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/jit/serialization/unpickler.h>

#include <cstring>
#include <unordered_map>

#include "inn/core/failure.h"

namespace inn {
namespace {

constexpr int kDeepest = 200;

/// Provides the memory of records, and checks the tensors that are views of it.
class PickledTensors {
 public:
  PickledTensors(const ZipArchive& archive, std::string folder)
      : archive_(archive), folder_(std::move(folder)) {}

  c10::DataPtr memory_of(const std::string& number) {
    auto record = folder_ + number;
    auto* storage = new c10::Storage(archive_.storage(record));
    c10::DataPtr memory(
        storage->mutable_data(), storage, [](void* held) { delete static_cast<c10::Storage*>(held); },
        at::kCPU);
    records_.insert_or_assign(memory.get(), std::move(record));
    return memory;
  }

  void check(const c10::IValue& value, int depth = 0) {
    if (depth > kDeepest) fail("it nests deeper than {}", kDeepest);
    if (value.isTensor()) {
      check(value.toTensor());
    } else if (value.isList()) {
      for (const auto& item : value.toListRef()) check(item, depth + 1);
    } else if (value.isTuple()) {
      for (const auto& item : value.toTupleRef().elements()) check(item, depth + 1);
    } else if (value.isGenericDict()) {
      for (const auto& item : value.toGenericDict()) check(item.value(), depth + 1);
    } else if (value.isObject()) {
      for (const auto& slot : value.toObjectRef().slots()) check(slot, depth + 1);
    }
  }

 private:
  /// Torch takes sizes, strides and offset from the pickle as they stand there.
  void check(const at::Tensor& tensor) {
    if (!tensor.defined()) return;
    if (tensor.layout() != at::kStrided || tensor.is_quantized() || !tensor.device().is_cpu())
      fail("it holds a tensor that is not a plain one, but {}", tensor.toString());
    for (int64_t axis = 0; axis < tensor.dim(); ++axis)
      if (tensor.size(axis) < 0 || tensor.stride(axis) < 0)
        fail("it holds a tensor of a negative size or stride");
    if (tensor.storage_offset() < 0) fail("it holds a tensor of a negative offset");
    const auto record = records_.find(tensor.storage().data());
    if (record == records_.end()) {
      if (tensor.numel() != 0) fail("it holds a tensor without its data");
      return;
    }
    archive_.span(
        {tensor.sizes().vec(), tensor.strides().vec(), static_cast<uint64_t>(tensor.storage_offset()),
         static_cast<uint64_t>(tensor.element_size())},
        record->second, record->second);
  }

  const ZipArchive& archive_;
  std::string folder_;
  std::unordered_map<const void*, std::string> records_;  // by the memory of each
};

}  // namespace

c10::IValue unpickle(const ZipArchive& archive, const std::string& name, const PickledClasses& classes) {
  const auto pickle = archive.text(name + ".pkl");
  size_t position = 0;
  const auto reader = [&](char* to, size_t count) {
    count = std::min(count, pickle.size() - position);
    std::memcpy(to, pickle.data() + position, count);
    position += count;
    return count;
  };
  PickledTensors tensors(archive, name + "/");
  torch::jit::Unpickler unpickler(
      reader, classes.find, classes.make,
      [&](const std::string& number) { return tensors.memory_of(number); }, c10::Device(at::kCPU));
  auto value = unpickler.parse_ivalue();
  tensors.check(value);
  return value;
}

}  // namespace inn
