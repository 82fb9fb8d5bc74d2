#pragma once
// A set of a network's inputs with labels, as it is distributed: images, sequences, any tensors.

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "inn/core/named_table.h"
#include "inn/data/image_files.h"

namespace inn {

/// Which part of a data set. `any`: the train split where there is one, else the test split.
enum class Split { train, test, any };

/// Returns "train", "test" or "any".
const char* to_string(Split split);

/// Inputs with labels, on the CPU. A value type: copies share tensors and lists of files.
///
/// Inputs are images, uint8 [N, C, H, W] with values 0..255, which a network gets normalized; or [N, …] as a
/// network takes them: floating point, or int64 (tokens). Labels are int64, each in [0, class_names.size()):
/// [N], or [N, T] with one for each position of a sequence; undefined where there are none. Or they are the
/// targets of a regression, floating point [N, …]: numbers, images as a network gives them.
struct Dataset {
  at::Tensor inputs = {};
  at::Tensor labels = {};
  std::vector<std::string> class_names = {};  // empty where there are no labels
  std::string source = {};                    // the name or path it was opened by

  /// Image files, in place of `inputs`, which is undefined then. They are decoded when a batch needs them.
  ImageFiles files = {};
  /// The size to which images, of files or in memory, are brought.
  ImageFrame frame = {};
  /// Where it is set, damaged images are left out of batches and noted here; else they are errors.
  std::shared_ptr<SkippedImages> skipped = nullptr;
  /// How many threads make batches ahead of being asked for; -1: as many as there are processors, at most
  /// four, for files, and none for what is in memory.
  int64_t workers = -1;

  int64_t size() const;
  /// Whether the inputs are pixels, which are normalized.
  bool holds_images() const;
  /// Returns the sizes [N, …] of all inputs together as batches hold them; zeros for the sides of image files
  /// whose frame is open. Empty where there are no inputs.
  std::vector<int64_t> sizes() const;
  /// Returns the first `count` inputs with their labels, sharing memory. Throws std::invalid_argument unless
  /// 1 ≤ count ≤ N.
  Dataset first(int64_t count) const;
  /// Whether the labels are classes, not targets of a regression.
  bool has_classes() const;
  /// Returns the samples at `indices`, int64 [M] in [0, N), in that order, copied. Throws
  /// std::invalid_argument for others.
  Dataset select(const at::Tensor& indices) const;
};

/// One way in which data sets are distributed.
struct DatasetFormat {
  std::string name;      // "cifar-10"
  std::string contents;  // what such a folder or file holds, for messages and docs
  /// Whether the folder or file, which exists, is of this format as far as its names tell.
  std::function<bool(const std::filesystem::path&)> recognizes;
  /// Reads it. Throws std::runtime_error that names the file which is missing, short or wrong.
  std::function<Dataset(const std::filesystem::path&, Split)> read;
};

/// A data set that is known by name, in the folder where its Debian package puts it.
struct NamedDataset {
  std::string name;  // "fashion-mnist"
  std::filesystem::path folder;
  std::string package = {};
  std::vector<std::string> class_names = {};
};

/// Returns the formats in the order in which they are tried.
const GrowingTable<DatasetFormat>& dataset_formats();
/// Adds a format, tried after those that are there. Throws std::invalid_argument for a name that is taken.
void register_dataset_format(DatasetFormat format);

const GrowingTable<NamedDataset>& named_datasets();
/// Adds a name. Throws std::invalid_argument for one that is taken.
void register_named_dataset(NamedDataset dataset);

/// Returns the data set of a folder or file, recognised by its content, or of a name such as "fashion-mnist".
///
/// A single file (an IDX file of images, one CIFAR batch, tensors that torch.save wrote) is read whole
/// whatever the split; IDX images then have no labels, as those of a folder without a file of labels have
/// none by Split::any. Names go before paths ("./fashion-mnist" is a path). Reads everything into memory but
/// images in files of their own, whose paths alone are read; the sizes that a file claims are checked against
/// the file before anything is allocated. Throws std::runtime_error naming the file: missing, short, longer
/// than its header says, of the wrong kind; a split that isn't there; counts of images and labels that
/// differ; a label out of range; for a name whose folder is missing, the Debian package that has it.
Dataset open_dataset(const std::string& path_or_name, Split split);

}  // namespace inn
