#pragma once
// Images that stay in their files until a batch asks for them.

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
  /// Returns those at `indices`, int64 [M] in [0, size()), in that order.
  ImageFiles select(const at::Tensor& indices) const;

 private:
  std::shared_ptr<const std::vector<std::string>> paths_;
  int64_t count_ = 0;
};

/// What size the images of a data set are brought to before they are augmented and normalized.
///
/// The shorter side is resized to R (bilinear, antialiased: torchvision's Resize), the longer one to
/// ⌊R·longer/shorter⌋; then the S×S pixels in the middle are cut (CenterCrop). An image that is S×S already
/// stays as it is unless R is given: those of CIFAR in files are no photographs with a margin.
struct ImageFrame {
  int64_t size = 0;      // S; 0: tensors stay as they are, and files can't be read
  int64_t resize = 0;    // R, at least S; 0: S·256/224, rounded
  int64_t channels = 3;  // of files: 3, or 1 for their luma

  /// R, filled in.
  int64_t shorter_side() const;
};

/// The damaged images that were left out of batches. Used from any thread.
class SkippedImages {
 public:
  void add(const std::string& path, const std::string& reason);
  /// Returns the reason of each path.
  std::map<std::string, std::string> all() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string> reasons_;
};

}  // namespace inn
