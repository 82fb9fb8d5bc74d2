#include "weights.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include "codes.h"
#include "failure.h"

namespace inn::pt2 {
namespace {

/// A number of a tensor's metadata: no negative, no symbol.
uint64_t fixed_size(const Json& size, const std::string& name) {
  const auto [tag, value] = tagged(size);
  if (tag != "as_int") fail("tensor '{}': a size is not a number", name);
  const auto number = integer(value);
  if (number < 0) fail("tensor '{}': it has a negative size or stride {}", name, number);
  return static_cast<uint64_t>(number);
}

std::vector<int64_t> fixed_sizes(const Json& sizes, const std::string& name) {
  std::vector<int64_t> result;
  for (const auto& size : array(sizes)) result.push_back(static_cast<int64_t>(fixed_size(size, name)));
  return result;
}

}  // namespace

TensorFolder::TensorFolder(const ZipArchive& archive, std::string folder, const std::string& config)
    : archive_(archive), folder_(std::move(folder)) {
  const auto record = folder_ + config;
  if (!archive.has(record)) {
    for (const auto& other : archive.records())
      if (other.starts_with(folder_) && other.ends_with(".pt"))
        refuse("'{}' is the tensor format of torch before 2.8; save the archive with a newer torch", other);
    fail("record '{}' is missing", record);
  }
  config_ = member(parse_json(archive.text(record), record), "config");
}

HeldTensor TensorFolder::read(const std::string& name) {
  const auto& held = optional_member(config_, name);
  if (held.is_null()) fail("tensor '{}' is missing in {}", name, folder_);
  if (boolean(member(held, "use_pickle")))
    refuse("tensor '{}' is a pickled object, not a plain tensor", name);
  const auto& meta = member(held, "tensor_meta");
  layout_from_code(integer(member(meta, "layout")));
  const auto dtype = dtype_from_code(integer(member(meta, "dtype")));
  const auto sizes = fixed_sizes(member(meta, "sizes"), name);
  const auto strides = fixed_sizes(member(meta, "strides"), name);
  const auto offset = fixed_size(member(meta, "storage_offset"), name);
  if (sizes.size() != strides.size())
    fail("tensor '{}': {} sizes but {} strides", name, sizes.size(), strides.size());

  const auto record = folder_ + text(member(held, "path_name"));
  const auto span = archive_.span({sizes, strides, offset, c10::elementSize(dtype)}, record, name);

  auto tensor = at::empty({0}, at::TensorOptions(dtype));
  tensor.set_(archive_.storage(record), span == 0 ? 0 : static_cast<int64_t>(offset), sizes, strides);
  if (boolean(member(meta, "requires_grad"))) {
    if (!tensor.is_floating_point() && !tensor.is_complex())
      fail("tensor '{}': integers have no gradient", name);
    tensor.set_requires_grad(true);
  }
  return {tensor, fmt::format("{} {} {} [{}] [{}]", record, c10::toString(dtype), offset,
                              fmt::join(sizes, ","), fmt::join(strides, ","))};
}

}  // namespace inn::pt2
