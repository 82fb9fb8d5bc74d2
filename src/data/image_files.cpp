#include "inn/data/image_files.h"

#include <cmath>

#include "inn/core/error.h"

namespace inn {

ImageFiles::ImageFiles(std::vector<std::string> paths)
    : paths_(std::make_shared<const std::vector<std::string>>(std::move(paths))),
      count_(static_cast<int64_t>(paths_->size())) {}

const std::string& ImageFiles::operator[](int64_t index) const {
  require<std::out_of_range>(index >= 0 && index < count_, "data",
                             "Image files: the index must be in [0, {}) but got {}.", count_, index);
  return (*paths_)[static_cast<size_t>(index)];
}

ImageFiles ImageFiles::first(int64_t count) const {
  require<std::out_of_range>(count >= 0 && count <= count_, "data",
                             "Image files: the count must be in [0, {}] but got {}.", count_, count);
  ImageFiles part = *this;
  part.count_ = count;
  return part;
}

ImageFiles ImageFiles::select(const at::Tensor& indices) const {
  const at::Tensor places = indices.contiguous();
  std::vector<std::string> paths;
  for (int64_t i = 0; i < places.numel(); ++i) paths.push_back((*this)[places.const_data_ptr<int64_t>()[i]]);
  return ImageFiles(std::move(paths));
}

int64_t ImageFrame::shorter_side() const {
  // What networks for 224 pixels are evaluated at: 256.
  constexpr double kMargin = 256.0 / 224.0;
  return resize > 0 ? resize : std::llround(static_cast<double>(size) * kMargin);
}

void SkippedImages::add(const std::string& path, const std::string& reason) {
  const std::lock_guard lock(mutex_);
  reasons_.emplace(path, reason);
}

std::map<std::string, std::string> SkippedImages::all() const {
  const std::lock_guard lock(mutex_);
  return reasons_;
}

}  // namespace inn
