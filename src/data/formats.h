#pragma once
// The built-in formats, one file each.

#include "inn/data/dataset.h"

namespace inn {

DatasetFormat idx_format();
DatasetFormat cifar10_format();
DatasetFormat cifar100_format();
DatasetFormat tensors_format();
DatasetFormat class_folders_format();

/// Returns "0", "1", …, for formats without class names.
std::vector<std::string> numbered_classes(int64_t count);

/// Returns the file names in a folder, sorted.
std::vector<std::string> file_names(const std::filesystem::path& folder);

/// Returns which split to read of a folder that has files of these: `split` itself, or the one there is for
/// Split::any.
Split split_to_read(Split split, bool has_train);

/// Throws std::runtime_error unless every label is in [0, classes).
void check_labels(const at::Tensor& labels, int64_t classes, const std::string& path);

}  // namespace inn
