// Tensors in a file that Python's torch.save wrote.

#include <ATen/ops/max.h>
#include <ATen/ops/min.h>
#include <c10/util/Exception.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "byte_reader.h"
#include "formats.h"
#include "inn/core/error.h"
#include "inn/core/failure.h"
#include "inn/core/unpickle.h"
#include "inn/core/zip_archive.h"

namespace inn {
namespace {

namespace fs = std::filesystem;

constexpr const char* kInputs = "inputs";
constexpr const char* kLabels = "labels";
constexpr const char* kTargets = "targets";

/// A file for this library takes a few hundred bytes of it: what is much longer only nests.
constexpr size_t kLongestPickle = 1 << 14;

/// Returns what the file holds. Classes are not looked up, so that is nothing but tensors, numbers, text and
/// containers of them.
c10::IValue saved_value(const fs::path& path) {
  const ZipArchive archive(path);
  if (archive.has("constants.pkl")) fail("it contains a TorchScript module, not tensors");
  if (!archive.has("data.pkl")) fail("it was not written by torch.save");
  if (archive.has("byteorder") && archive.text("byteorder") != "little") fail("it is not little-endian");
  if (archive.size("data.pkl") > kLongestPickle)
    fail("its data.pkl has {} bytes, more than a tensor or a dict of two takes", archive.size("data.pkl"));
  return unpickle(archive, "data");
}

/// Returns the tensor that `value` is, contiguous.
at::Tensor tensor_of(const c10::IValue& value, const std::string& name) {
  if (!value.isTensor()) fail("'{}' must be a tensor but is {}", name, value.tagKind());
  const at::Tensor& tensor = value.toTensor();
  if (!tensor.defined()) fail("'{}' is not defined", name);
  return tensor.detach().contiguous();
}

at::Tensor checked_inputs(at::Tensor inputs) {
  const auto dtype = inputs.scalar_type();
  if (dtype == at::kByte && inputs.dim() != 4)
    fail("'{}' of type uint8 must be images [N, C, H, W] but are [{}]", kInputs,
         fmt::join(inputs.sizes(), ", "));
  if (dtype != at::kByte && dtype != at::kLong && !at::isFloatingType(dtype))
    fail("'{}' must be floating point, int64 or uint8 images but are {}", kInputs, c10::toString(dtype));
  if (inputs.dim() == 0 || inputs.numel() == 0)
    fail("'{}' must be [N, …] with at least one sample but are [{}]", kInputs,
         fmt::join(inputs.sizes(), ", "));
  return inputs;
}

at::Tensor checked_targets(const at::Tensor& targets, int64_t count) {
  if (!at::isFloatingType(targets.scalar_type()))
    fail("'{}' must be floating point but are {}", kTargets, c10::toString(targets.scalar_type()));
  if (targets.dim() < 1 || targets.size(0) != count || targets.numel() == 0)
    fail("'{}' must be [{}, …] but are [{}]", kTargets, count, fmt::join(targets.sizes(), ", "));
  return targets;
}

at::Tensor checked_labels(const at::Tensor& labels, int64_t count) {
  constexpr int64_t kMostClasses = 1 << 24;
  if (!at::isIntegralType(labels.scalar_type(), /*includeBool=*/false))
    fail("'{}' must be integers but are {}", kLabels, c10::toString(labels.scalar_type()));
  if (labels.dim() < 1 || labels.dim() > 2 || labels.size(0) != count || labels.numel() == 0)
    fail("'{}' must be [{}], or [{}, T] (one per position), but are [{}]", kLabels, count, count,
         fmt::join(labels.sizes(), ", "));
  at::Tensor numbers = labels.to(at::kLong);
  const auto least = at::min(numbers).item<int64_t>(), greatest = at::max(numbers).item<int64_t>();
  if (least < 0 || greatest >= kMostClasses)
    fail("'{}' must be in [0, {}) but one is {}", kLabels, kMostClasses, least < 0 ? least : greatest);
  return numbers;
}

Dataset dataset_of(const c10::IValue& value) {
  if (value.isTensor()) return {.inputs = checked_inputs(tensor_of(value, kInputs))};
  if (!value.isGenericDict())
    fail("it must contain a tensor or a dict of '{}' and '{}' or '{}' but contains {}", kInputs, kLabels,
         kTargets, value.tagKind());
  Dataset result;
  c10::IValue labels, targets;
  for (const auto& entry : value.toGenericDict()) {
    const std::string key = entry.key().isString() ? entry.key().toStringRef() : entry.key().tagKind();
    if (key == kInputs)
      result.inputs = checked_inputs(tensor_of(entry.value(), kInputs));
    else if (key == kLabels)
      labels = entry.value();
    else if (key == kTargets)
      targets = entry.value();
    else
      fail("its dict has the unknown key '{}'; known keys are '{}', '{}' and '{}'", key, kInputs, kLabels,
           kTargets);
  }
  if (!result.inputs.defined()) fail("its dict has no '{}'", kInputs);
  if (!labels.isNone() && !targets.isNone()) fail("its dict has both '{}' and '{}'", kLabels, kTargets);
  if (!targets.isNone()) result.labels = checked_targets(tensor_of(targets, kTargets), result.size());
  if (labels.isNone()) return result;
  result.labels = checked_labels(tensor_of(labels, kLabels), result.size());
  result.class_names = numbered_classes(at::max(result.labels).item<int64_t>() + 1);
  return result;
}

bool begins_with(const fs::path& path, std::string_view mark) {
  ByteReader reader(path);
  std::array<char, 4> bytes{};
  const auto count = reader.read_some(bytes.data(), bytes.size());
  return std::string_view(bytes.data(), static_cast<size_t>(count)).starts_with(mark);
}

bool recognizes_tensors(const fs::path& path) {
  if (!fs::is_regular_file(path)) return false;
  return path.extension() == ".pt" || path.extension() == ".pth" || begins_with(path, "PK");
}

Dataset read_tensors(const fs::path& path, Split) {
  require<std::runtime_error>(begins_with(path, "PK"), "data",
                              "File '{}': was not written by torch.save of torch 1.6 or later.",
                              path.string());
  try {
    return dataset_of(saved_value(path));
  } catch (const c10::Error& error) {
    raise<std::runtime_error>("data", "File '{}': {}", path.string(), error.what_without_backtrace());
  } catch (const std::exception& error) {
    raise<std::runtime_error>("data", "File '{}': {}.", path.string(), error.what());
  }
}

}  // namespace

DatasetFormat tensors_format() {
  return {.name = "tensors",
          .contents =
              "a file by torch.save: a tensor of network inputs (floating point or int64; uint8 images), or "
              "a dict of inputs and labels ([N], or one per position [N, T]), or of inputs and "
              "floating-point targets [N, …]",
          .recognizes = recognizes_tensors,
          .read = read_tensors};
}

}  // namespace inn
