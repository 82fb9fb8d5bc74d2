#pragma once
// Image files that are decoded on demand.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace inn {

/// Paths of image files. A value type: copies share the list.
class ImageFiles {
 public:
  ImageFiles() = default;
  explicit ImageFiles(std::vector<std::string> paths);

  int64_t size() const { return count_; }
  /// Throws std::out_of_range unless 0 ≤ index < size().
  const std::string& operator[](int64_t index) const;
  /// Returns the first `count` ≤ size() of them.
  ImageFiles first(int64_t count) const;
  /// Returns the files at `indices`, int64 [M] in [0, size()), in that order.
  ImageFiles select(const at::Tensor& indices) const;

 private:
  std::shared_ptr<const std::vector<std::string>> paths_;
  int64_t count_ = 0;
};

/// The size to which images are resized before augmentation and normalization.
///
/// The shorter side is resized to R (bilinear, antialiased: torchvision's Resize), the longer one to
/// ⌊R·longer/shorter⌋; then the center S×S pixels are cropped (CenterCrop). S×S images are unchanged unless R
/// is given, since small images such as CIFAR's have no margin.
struct ImageFrame {
  int64_t size = 0;      // S; 0: tensors are unchanged, and files cannot be read
  int64_t resize = 0;    // R, at least S; 0: S·256/224, rounded
  int64_t channels = 3;  // of files: 3, or 1 for grayscale

  /// R with its default.
  int64_t shorter_side() const;
};

/// The corrupt images that were skipped. Thread-safe.
class SkippedImages {
 public:
  void add(const std::string& path, const std::string& reason);
  /// Returns the reason for each path.
  std::map<std::string, std::string> all() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string> reasons_;
};

}  // namespace inn
