#pragma once
// Data sets: images, sequences or other tensors, with labels.

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "inn/core/named_table.h"
#include "inn/data/image_files.h"

namespace inn {

/// A split of a data set. `any`: the train split if there is one, else the test split.
enum class Split { train, test, any };

/// Returns "train", "test" or "any".
const char* to_string(Split split);

/// Inputs with labels, on the CPU. A value type: copies share tensors and lists of files.
///
/// Inputs are images, uint8 [N, C, H, W] with values 0..255, which are normalized before they reach the
/// network; or network inputs [N, …]: floating point, or int64 (tokens). Labels are int64, each in [0,
/// class_names.size()): [N], or [N, T] with one for each position of a sequence; undefined where there are
/// none. Or they are regression targets, floating point [N, …].
struct Dataset {
  at::Tensor inputs = {};
  at::Tensor labels = {};
  std::vector<std::string> class_names = {};  // empty where there are no labels
  std::string source = {};                    // the name or path it was opened with

  /// Image files instead of `inputs`, which is then undefined. Decoded on demand.
  ImageFiles files = {};
  /// The size to which images (in files or in memory) are resized.
  ImageFrame frame = {};
  /// If set, corrupt images are skipped and recorded here; otherwise they are errors.
  std::shared_ptr<SkippedImages> skipped = nullptr;
  /// Number of threads that prefetch batches. -1: one per processor, at most four, for files; none for data
  /// in memory.
  int64_t workers = -1;

  int64_t size() const;
  /// Whether the inputs are images, which are normalized.
  bool holds_images() const;
  /// Returns the shape [N, …] of all inputs as in batches, with height and width 0 for image files without a
  /// size. Empty if there are no inputs.
  std::vector<int64_t> sizes() const;
  /// Returns the first `count` inputs with their labels, sharing memory. Throws std::invalid_argument unless
  /// 1 ≤ count ≤ N.
  Dataset first(int64_t count) const;
  /// Whether the labels are classes rather than regression targets.
  bool has_classes() const;
  /// Returns a copy of the samples at `indices`, int64 [M] in [0, N), in that order. Throws
  /// std::invalid_argument for invalid indices.
  Dataset select(const at::Tensor& indices) const;
};

/// A file format of data sets.
struct DatasetFormat {
  std::string name;      // "cifar-10"
  std::string contents;  // what such a folder or file contains, for messages and docs
  /// Whether the existing folder or file has this format, judged by names and first bytes.
  std::function<bool(const std::filesystem::path&)> recognizes;
  /// Reads it. Throws std::runtime_error naming a missing, truncated or invalid file.
  std::function<Dataset(const std::filesystem::path&, Split)> read;
};

/// A data set known by name, in the folder where its Debian package installs it.
struct NamedDataset {
  std::string name;  // "fashion-mnist"
  std::filesystem::path folder;
  std::string package = {};
  std::vector<std::string> class_names = {};
};

/// Returns the formats in the order in which they are tried.
const GrowingTable<DatasetFormat>& dataset_formats();
/// Adds a format, tried after the existing ones. Throws std::invalid_argument if the name is already in use.
void register_dataset_format(DatasetFormat format);

const GrowingTable<NamedDataset>& named_datasets();
/// Adds a name. Throws std::invalid_argument if it is already in use.
void register_named_dataset(NamedDataset dataset);

/// Opens a data set: a folder or file, whose format is detected, or a name such as "fashion-mnist".
///
/// A single file (an IDX file of images, one CIFAR batch, tensors by torch.save) is read completely, whatever
/// the split; IDX images then have no labels, nor do those of a folder without a file of labels for
/// Split::any. Names take precedence over paths ("./fashion-mnist" is a path). Everything is read into memory
/// except image files, of which only the paths are read. Declared sizes are checked against the file before
/// memory is allocated. Throws std::runtime_error naming the file if it is missing, truncated, too long or of
/// the wrong type, if the split does not exist, if the numbers of images and labels differ, or if a label is
/// out of range; for a name whose folder is missing, it names the Debian package.
Dataset open_dataset(const std::string& path_or_name, Split split);

}  // namespace inn
