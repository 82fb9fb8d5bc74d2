#include "inn/data/dataset.h"

#include <ATen/ops/index_select.h>
#include <ATen/ops/max.h>
#include <ATen/ops/min.h>

#include <algorithm>

#include "formats.h"
#include "inn/core/error.h"

namespace inn {
namespace {

namespace fs = std::filesystem;

GrowingTable<DatasetFormat>& formats() {
  static GrowingTable<DatasetFormat> table{idx_format(), cifar10_format(), cifar100_format(),
                                           tensors_format(), class_folders_format()};
  return table;
}

GrowingTable<NamedDataset>& names() {
  static GrowingTable<NamedDataset> table{
      {.name = "fashion-mnist",
       .folder = "/usr/share/datasets/fashion-mnist",
       .package = "dataset-fashion-mnist",
       .class_names = {"T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker",
                       "bag", "ankle boot"}}};
  return table;
}

template <class Entry>
void add(GrowingTable<Entry>& table, Entry entry) {
  const auto same = [&](const Entry& other) { return other.name == entry.name; };
  require(std::none_of(table.begin(), table.end(), same), "data", "The name '{}': is already registered.",
          entry.name);
  table.push_back(std::move(entry));
}

[[noreturn]] void fail_unknown(const std::string& path) {
  std::string known;
  for (const auto& format : formats()) known += "\n  " + format.name + ": " + format.contents;
  std::vector<std::string> found = fs::is_directory(path) ? file_names(path) : std::vector<std::string>{};
  constexpr size_t kShown = 8;
  std::string shown;
  for (size_t i = 0; i < std::min(kShown, found.size()); ++i) shown += (i > 0 ? ", " : "") + found[i];
  if (found.size() > kShown) shown += ", …";
  if (found.empty()) shown = fs::is_directory(path) ? "nothing" : "a file of unknown type";
  raise<std::runtime_error>("data", "'{}': is not a data set of a known format; found {}. Known:{}", path,
                            shown, known);
}

Dataset read_any(const fs::path& path, Split split) {
  for (const auto& format : formats()) {
    if (format.recognizes(path)) return format.read(path, split);
  }
  fail_unknown(path.string());
}

}  // namespace

const char* to_string(Split split) {
  return split == Split::train ? "train" : split == Split::test ? "test" : "any";
}

int64_t Dataset::size() const { return inputs.defined() ? inputs.size(0) : files.size(); }

bool Dataset::holds_images() const {
  return inputs.defined() ? inputs.scalar_type() == at::kByte : files.size() > 0;
}

std::vector<int64_t> Dataset::sizes() const {
  if (!inputs.defined() && files.size() == 0) return {};
  auto result = inputs.defined() ? inputs.sizes().vec()
                                 : std::vector<int64_t>{files.size(), frame.channels, frame.size, frame.size};
  if (frame.size > 0 && result.size() == 4) result[2] = result[3] = frame.size;
  return result;
}

Dataset Dataset::first(int64_t count) const {
  require(count >= 1 && count <= size(), "data",
          "Data set '{}': the count of samples must be in [1, {}] but got {}.", source, size(), count);
  Dataset part = *this;
  if (inputs.defined()) part.inputs = inputs.narrow(0, 0, count);
  if (files.size() > 0) part.files = files.first(count);
  if (labels.defined()) part.labels = labels.narrow(0, 0, count);
  return part;
}

bool Dataset::has_classes() const { return labels.defined() && !labels.is_floating_point(); }

Dataset Dataset::select(const at::Tensor& indices) const {
  const bool known = indices.defined() && indices.scalar_type() == at::kLong && indices.dim() == 1 &&
                     indices.numel() > 0 && at::min(indices).item<int64_t>() >= 0 &&
                     at::max(indices).item<int64_t>() < size();
  require(known, "data", "Data set '{}': the samples to select must be int64 [M] in [0, {}).", source,
          size());
  Dataset part = *this;
  if (inputs.defined()) part.inputs = inputs.index_select(0, indices);
  if (files.size() > 0) part.files = files.select(indices);
  if (labels.defined()) part.labels = labels.index_select(0, indices);
  return part;
}

const GrowingTable<DatasetFormat>& dataset_formats() { return formats(); }
void register_dataset_format(DatasetFormat format) { add(formats(), std::move(format)); }
const GrowingTable<NamedDataset>& named_datasets() { return names(); }
void register_named_dataset(NamedDataset dataset) { add(names(), std::move(dataset)); }

Dataset open_dataset(const std::string& path_or_name, Split split) {
  for (const auto& named : names()) {
    if (named.name != path_or_name) continue;
    require<std::runtime_error>(fs::is_directory(named.folder), "data",
                                "Data set '{}': folder '{}' not found; on Debian: apt install {}", named.name,
                                named.folder.string(), named.package);
    Dataset dataset = read_any(named.folder, split);
    if (dataset.class_names.size() <= named.class_names.size()) dataset.class_names = named.class_names;
    dataset.source = named.name;
    return dataset;
  }
  if (!fs::exists(path_or_name)) {
    std::vector<std::string> known;
    for (const auto& named : names()) known.push_back(named.name);
    raise<std::runtime_error>("data", "'{}': is not a folder, a file, or the name of a data set.{}",
                              path_or_name, nearest_names(path_or_name, known));
  }
  Dataset dataset = read_any(path_or_name, split);
  dataset.source = path_or_name;
  return dataset;
}

std::vector<std::string> numbered_classes(int64_t count) {
  std::vector<std::string> result;
  for (int64_t i = 0; i < count; ++i) result.push_back(std::to_string(i));
  return result;
}

std::vector<std::string> file_names(const fs::path& folder) {
  std::vector<std::string> result;
  for (const auto& entry : fs::directory_iterator(folder)) result.push_back(entry.path().filename().string());
  std::sort(result.begin(), result.end());
  return result;
}

Split split_to_read(Split split, bool has_train) {
  if (split != Split::any) return split;
  return has_train ? Split::train : Split::test;
}

void check_labels(const at::Tensor& labels, int64_t classes, const std::string& path) {
  if (labels.numel() == 0) return;
  const auto largest = at::max(labels).item<int64_t>();
  require<std::runtime_error>(largest < classes, "data",
                              "File '{}': labels must be in [0, {}] but one is {}.", path, classes - 1,
                              largest);
}

}  // namespace inn
