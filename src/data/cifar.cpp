// CIFAR-10 and CIFAR-100, binary version: https://www.cs.toronto.edu/~kriz/cifar.html

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include <fstream>

#include "byte_reader.h"
#include "formats.h"
#include "inn/core/error.h"

namespace inn {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kChannels = 3, kSide = 32;
constexpr int64_t kImageBytes = kChannels * kSide * kSide;

/// What the two have different. A record is its label bytes, the last of which counts, and the image.
struct Layout {
  int64_t label_bytes;
  int64_t classes;
  std::string names_file;
  std::vector<std::string> default_names;
};

const Layout& cifar10() {
  static const Layout layout{
      1,
      10,
      "batches.meta.txt",
      {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}};
  return layout;
}

const Layout& cifar100() {
  static const Layout layout{2, 100, "fine_label_names.txt", numbered_classes(100)};
  return layout;
}

Dataset read_file(const fs::path& path, const Layout& layout) {
  ByteReader reader(path);
  const auto bytes = static_cast<int64_t>(fs::file_size(path));
  const int64_t record = layout.label_bytes + kImageBytes;
  require<std::runtime_error>(
      bytes > 0 && bytes % record == 0, "data",
      "File '{}': is truncated or not a CIFAR-{} file: expected a multiple of {} bytes but got {}.",
      reader.path(), layout.classes, record, bytes);
  const int64_t count = bytes / record;
  const at::Tensor records = at::empty({count, record}, at::kByte);
  reader.read(records.data_ptr(), bytes);
  Dataset dataset;
  dataset.labels = records.select(1, layout.label_bytes - 1).to(at::kLong);
  dataset.inputs = records.narrow(1, layout.label_bytes, kImageBytes)
                       .reshape({count, kChannels, kSide, kSide})
                       .contiguous();
  check_labels(dataset.labels, layout.classes, reader.path());
  return dataset;
}

std::vector<std::string> class_names(const fs::path& folder, const Layout& layout) {
  std::vector<std::string> names;
  std::ifstream file(folder / layout.names_file);
  for (std::string line; std::getline(file, line);) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (!line.empty()) names.push_back(line);
  }
  return static_cast<int64_t>(names.size()) == layout.classes ? names : layout.default_names;
}

Dataset read_files(const std::vector<fs::path>& paths, const fs::path& folder, const Layout& layout) {
  std::vector<at::Tensor> images, labels;
  for (const auto& path : paths) {
    const Dataset part = read_file(path, layout);
    images.push_back(part.inputs);
    labels.push_back(part.labels);
  }
  const bool one = paths.size() == 1;
  return {.inputs = one ? images[0] : at::cat(images),
          .labels = one ? labels[0] : at::cat(labels),
          .class_names = class_names(folder, layout),
          .source = {}};
}

bool is_train_batch(const std::string& name) {
  return name.starts_with("data_batch_") && name.ends_with(".bin");
}

bool recognizes10(const fs::path& path) {
  const auto is_batch = [](const std::string& name) {
    return name == "test_batch.bin" || is_train_batch(name);
  };
  if (fs::is_regular_file(path)) return is_batch(path.filename().string());
  if (!fs::is_directory(path)) return false;
  const auto names = file_names(path);
  return std::any_of(names.begin(), names.end(), is_batch);
}

Dataset read10(const fs::path& path, Split split) {
  if (fs::is_regular_file(path)) return read_files({path}, path.parent_path(), cifar10());
  const auto names = file_names(path);
  const auto batches = std::count_if(names.begin(), names.end(), is_train_batch);
  if (split_to_read(split, batches > 0) == Split::test)
    return read_files({path / "test_batch.bin"}, path, cifar10());
  std::vector<fs::path> paths;  // numbered from 1: a gap is a missing file
  for (int64_t i = 1; i <= std::max<int64_t>(1, batches); ++i)
    paths.push_back(path / fmt::format("data_batch_{}.bin", i));
  return read_files(paths, path, cifar10());
}

bool recognizes100(const fs::path& path) {
  const auto is_part = [](const std::string& name) { return name == "train.bin" || name == "test.bin"; };
  if (fs::is_regular_file(path)) return is_part(path.filename().string());
  if (!fs::is_directory(path)) return false;
  const auto names = file_names(path);
  return std::any_of(names.begin(), names.end(), is_part);
}

Dataset read100(const fs::path& path, Split split) {
  if (fs::is_regular_file(path)) return read_files({path}, path.parent_path(), cifar100());
  const Split chosen = split_to_read(split, fs::exists(path / "train.bin"));
  return read_files({path / (chosen == Split::train ? "train.bin" : "test.bin")}, path, cifar100());
}

}  // namespace

DatasetFormat cifar10_format() {
  return {.name = "cifar-10",
          .contents =
              "data_batch_1.bin, … and test_batch.bin, records of 3073 bytes; batches.meta.txt may name the "
              "classes",
          .recognizes = recognizes10,
          .read = read10};
}

DatasetFormat cifar100_format() {
  return {
      .name = "cifar-100",
      .contents = "train.bin and test.bin, records of 3074 bytes; fine_label_names.txt may name the classes",
      .recognizes = recognizes100,
      .read = read100};
}

}  // namespace inn
