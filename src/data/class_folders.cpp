// Folders of JPEG and PNG files, one for each class, as ImageNet is distributed; or a folder of images alone.

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "epoch_source.h"
#include "formats.h"
#include "inn/core/error.h"

namespace inn {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 3> kImageEndings{".jpg", ".jpeg", ".png"};
constexpr std::array<const char*, 5> kOtherEndings{".bmp", ".gif", ".tif", ".tiff", ".webp"};
constexpr std::array<const char*, 1> kTrainFolders{"train"};
constexpr std::array<const char*, 3> kTestFolders{"test", "val", "validation"};

template <class Endings>
bool ends_with_one(const fs::path& path, const Endings& endings) {
  std::string ending = path.extension().string();
  for (char& letter : ending) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  return std::find(endings.begin(), endings.end(), ending) != endings.end();
}

bool hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

/// Returns whether this is an image file. Throws where it is an image of a kind that is not known, so that
/// nothing is left out in silence.
bool is_image_file(const fs::directory_entry& entry) {
  if (hidden(entry.path()) || !entry.is_regular_file()) return false;
  require<std::runtime_error>(!ends_with_one(entry.path(), kOtherEndings), "data",
                              "Image '{}': only JPEG and PNG are supported.", entry.path().string());
  return ends_with_one(entry.path(), kImageEndings);
}

bool holds_image_files(const fs::path& folder) {
  return std::any_of(fs::directory_iterator(folder), fs::directory_iterator(), [](const auto& entry) {
    return !hidden(entry.path()) && ends_with_one(entry.path(), kImageEndings) && entry.is_regular_file();
  });
}

/// The names of the folders in a folder, sorted.
std::vector<std::string> folder_names(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_directory() && !hidden(entry.path())) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

/// Whether it holds images, in itself or in folders in it.
bool holds_images_within(const fs::path& folder) {
  const auto files = fs::recursive_directory_iterator(folder);
  return std::any_of(begin(files), end(files), [](const auto& entry) {
    return ends_with_one(entry.path(), kImageEndings) && !hidden(entry.path());
  });
}

/// Whether it has a folder that holds images.
bool holds_classes(const fs::path& folder) {
  const auto names = folder_names(folder);
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& name) { return holds_images_within(folder / name); });
}

/// The names of the folders in it, each of which must hold images: another one would be a class by mistake.
std::vector<std::string> class_names_of(const fs::path& folder) {
  auto names = folder_names(folder);
  for (const auto& name : names)
    require<std::runtime_error>(holds_images_within(folder / name), "data",
                                "Folder '{}': every subfolder is a class, but '{}' contains no image.",
                                folder.string(), name);
  return names;
}

/// The first of these folders that is there: one of classes before one of images alone.
template <class Names>
fs::path split_folder(const fs::path& folder, const Names& names) {
  for (const char* name : names)
    if (fs::is_directory(folder / name) && holds_classes(folder / name)) return folder / name;
  for (const char* name : names)
    if (fs::is_directory(folder / name) && holds_image_files(folder / name)) return folder / name;
  return {};
}

/// Image files with their labels.
struct LabelledFiles {
  std::vector<std::string> paths;
  std::vector<int64_t> labels;
};

template <class Iterator>
void add_files(const fs::path& folder, int64_t label, LabelledFiles& files) {
  std::vector<std::string> paths;
  for (auto entry = Iterator(folder); entry != Iterator(); ++entry) {
    if constexpr (std::is_same_v<Iterator, fs::recursive_directory_iterator>)
      if (entry->is_directory() && hidden(entry->path())) entry.disable_recursion_pending();
    if (is_image_file(*entry)) paths.push_back(entry->path().string());
  }
  std::sort(paths.begin(), paths.end());
  for (auto& path : paths) files.paths.push_back(std::move(path));
  files.labels.resize(files.paths.size(), label);
}

/// The files stand in an order that is drawn once from their number, so that the first n are of all classes
/// as all are.
Dataset in_drawn_order(const LabelledFiles& files, std::vector<std::string> class_names) {
  constexpr uint64_t kSeed = 0;
  const auto order = shuffled(static_cast<int64_t>(files.paths.size()), Random(kSeed));
  std::vector<std::string> paths;
  std::vector<int64_t> labels;
  for (const int64_t place : order) {
    paths.push_back(files.paths[static_cast<size_t>(place)]);
    labels.push_back(files.labels[static_cast<size_t>(place)]);
  }
  Dataset dataset{.files = ImageFiles(std::move(paths))};
  if (class_names.empty()) return dataset;
  dataset.labels = as_tensor(labels);
  dataset.class_names = std::move(class_names);
  return dataset;
}

Dataset read_classes(const fs::path& folder, const std::vector<std::string>& class_names) {
  LabelledFiles files;
  for (const auto& name : folder_names(folder)) {
    const auto found = std::find(class_names.begin(), class_names.end(), name);
    require<std::runtime_error>(found != class_names.end(), "data",
                                "Folder '{}': class '{}' does not occur in the training split.",
                                folder.string(), name);
    add_files<fs::recursive_directory_iterator>(folder / name, found - class_names.begin(), files);
  }
  return in_drawn_order(files, class_names);
}

bool recognizes_class_folders(const fs::path& path) {
  if (!fs::is_directory(path)) return false;
  return holds_image_files(path) || holds_classes(path);
}

Dataset read_class_folders(const fs::path& path, Split split) {
  const auto read = [](const fs::path& folder, const fs::path& train) {
    if (holds_classes(folder)) return read_classes(folder, class_names_of(train.empty() ? folder : train));
    LabelledFiles files;
    add_files<fs::directory_iterator>(folder, 0, files);
    return in_drawn_order(files, {});
  };
  const fs::path train = split_folder(path, kTrainFolders), test = split_folder(path, kTestFolders);
  if (train.empty() && test.empty()) return read(path, {});
  const Split chosen = split_to_read(split, !train.empty());
  const fs::path folder = chosen == Split::train ? train : test;
  require<std::runtime_error>(!folder.empty(), "data", "Folder '{}' with images: not found in '{}'.",
                              chosen == Split::train ? kTrainFolders[0] : kTestFolders[0], path.string());
  return read(folder, !train.empty() && holds_classes(train) ? train : fs::path());
}

}  // namespace

DatasetFormat class_folders_format() {
  return {.name = "images",
          .contents =
              "JPEG and PNG files in one folder per class, CLASS/…, or train/CLASS/… and test/CLASS/… (or "
              "val/ or validation/); or in one folder, without labels",
          .recognizes = recognizes_class_folders,
          .read = read_class_folders};
}

}  // namespace inn
