// IDX files, as MNIST and Fashion-MNIST are distributed: http://yann.lecun.com/exdb/mnist/

#include <ATen/ops/empty.h>
#include <ATen/ops/max.h>

#include <array>
#include <optional>

#include "byte_reader.h"
#include "formats.h"
#include "inn/core/error.h"

namespace inn {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 2> kTestPrefixes{"t10k", "test"};
constexpr int kUnsignedByte = 8;

struct IdxHeader {
  int type = 0;
  std::vector<int64_t> sizes;
};

IdxHeader read_header(ByteReader& reader) {
  std::array<unsigned char, 4> magic{};
  reader.read(magic.data(), magic.size());
  require<std::runtime_error>(
      magic[0] == 0 && magic[1] == 0, "data",
      "File '{}': is not an IDX file: its first bytes are {:02x} {:02x} instead of 00 00.", reader.path(),
      magic[0], magic[1]);
  IdxHeader header{.type = magic[2], .sizes = {}};
  for (int axis = 0; axis < magic[3]; ++axis) {
    std::array<unsigned char, 4> big_endian{};
    reader.read(big_endian.data(), big_endian.size());
    int64_t size = 0;
    for (const unsigned char byte : big_endian) size = size << 8 | byte;
    header.sizes.push_back(size);
  }
  return header;
}

/// Returns the bytes of an IDX file whose number of axes is one of `axes`.
at::Tensor read_idx(const fs::path& path, std::initializer_list<size_t> axes, const char* what) {
  ByteReader reader(path);
  const IdxHeader header = read_header(reader);
  const bool fits = std::find(axes.begin(), axes.end(), header.sizes.size()) != axes.end();
  require<std::runtime_error>(header.type == kUnsignedByte && fits, "data",
                              "File '{}': does not contain {}: expected unsigned bytes (type 8) with {} axes "
                              "but got type {} with {}.",
                              reader.path(), what, *axes.begin(), header.type, header.sizes.size());
  constexpr int64_t kMost = int64_t{1} << 48;
  int64_t count = 1;
  for (const int64_t size : header.sizes) {
    require<std::runtime_error>(size > 0 && size <= kMost / count, "data",
                                "File '{}': its header contains the size {}.", reader.path(), size);
    count *= size;
  }
  reader.require_room(count);
  at::Tensor bytes = at::empty(header.sizes, at::kByte);
  reader.read(bytes.data_ptr(), count);
  reader.require_end();
  return bytes;
}

at::Tensor read_images(const fs::path& path) {
  const at::Tensor images = read_idx(path, {3, 4}, "images");
  return images.dim() == 3 ? images.unsqueeze(1) : images;
}

/// Returns the file "PREFIX-images…" or "PREFIX-labels…" of a folder; the uncompressed one where there are
/// both.
std::optional<std::string> find_part(const std::vector<std::string>& names, const std::string& prefix) {
  for (const auto& name : names) {  // sorted, so "x" precedes "x.gz"
    if (name.starts_with(prefix) && (name.ends_with("ubyte") || name.ends_with("ubyte.gz"))) return name;
  }
  return std::nullopt;
}

/// Returns how the files of a split begin in this folder: "train", "t10k" or "test". Nothing where it has
/// none.
std::optional<std::string> find_prefix(const std::vector<std::string>& names, Split split) {
  const auto has = [&](const std::string& prefix) {
    return find_part(names, prefix + "-images") || find_part(names, prefix + "-labels");
  };
  if (split == Split::train) return has("train") ? std::optional<std::string>("train") : std::nullopt;
  for (const char* prefix : kTestPrefixes) {
    if (has(prefix)) return prefix;
  }
  return std::nullopt;
}

fs::path require_part(const fs::path& folder, const std::string& prefix, const char* part, const char* axes) {
  const auto name = find_part(file_names(folder), prefix + part);
  require<std::runtime_error>(name.has_value(), "data", "File '{}{}{}-ubyte' (or .gz): not found in '{}'.",
                              prefix, part, axes, folder.string());
  return folder / *name;
}

bool is_idx_file(const fs::path& path) {
  ByteReader reader(path);
  std::array<unsigned char, 4> magic{};
  return reader.read_some(magic.data(), magic.size()) == 4 && magic[0] == 0 && magic[1] == 0 &&
         magic[2] == kUnsignedByte && (magic[3] == 3 || magic[3] == 4);
}

bool recognizes_idx(const fs::path& path) {
  if (fs::is_regular_file(path)) return is_idx_file(path);
  if (!fs::is_directory(path)) return false;
  const auto names = file_names(path);
  return find_prefix(names, Split::train) || find_prefix(names, Split::test);
}

Dataset read_idx_dataset(const fs::path& path, Split split) {
  if (fs::is_regular_file(path)) return {.inputs = read_images(path)};
  const auto names = file_names(path);
  const Split chosen = split_to_read(split, find_prefix(names, Split::train).has_value());
  const std::string prefix =
      find_prefix(names, chosen).value_or(chosen == Split::train ? "train" : kTestPrefixes[0]);
  const fs::path images_path = require_part(path, prefix, "-images", "-idx3");
  if (split == Split::any && !find_part(names, prefix + "-labels"))
    return {.inputs = read_images(images_path)};
  const fs::path labels_path = require_part(path, prefix, "-labels", "-idx1");
  Dataset dataset;
  dataset.labels = read_idx(labels_path, {1}, "labels").to(at::kLong);
  dataset.inputs = read_images(images_path);
  require<std::runtime_error>(dataset.inputs.size(0) == dataset.labels.size(0), "data",
                              "'{}' has {} images but '{}' has {} labels.", images_path.string(),
                              dataset.inputs.size(0), labels_path.string(), dataset.labels.size(0));
  dataset.class_names = numbered_classes(at::max(dataset.labels).item<int64_t>() + 1);
  return dataset;
}

}  // namespace

DatasetFormat idx_format() {
  return {.name = "idx",
          .contents =
              "train-images-idx3-ubyte, train-labels-idx1-ubyte; the test split's names begin with t10k- or "
              "test-; each plain or .gz",
          .recognizes = recognizes_idx,
          .read = read_idx_dataset};
}

}  // namespace inn
