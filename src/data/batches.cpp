#include "inn/data/batches.h"

#include <ATen/ops/cat.h>

#include "epoch_source.h"
#include "inn/core/error.h"
#include "pixels.h"
#include "read_ahead.h"

namespace inn {
namespace {

std::string described(const at::Tensor& tensor) {
  return tensor.defined() ? fmt::format("{} with {} axes", tensor.toString(), tensor.dim()) : "undefined";
}

/// The sizes that images are brought to, and what they are brought to it from.
void check_images(const Dataset& dataset, const BatchOptions& options) {
  constexpr int64_t kLargestSide = 1 << 14;
  const at::Tensor& images = dataset.inputs;
  const ImageFrame& frame = dataset.frame;
  if (dataset.files.size() > 0) {
    require(!images.defined(), "data", "Data set '{}': must have inputs or files, not both.", dataset.source);
    require(frame.size != 0, "data", "Data set '{}': image files require an image size.", dataset.source);
    require(frame.channels == 1 || frame.channels == 3, "data",
            "Data set '{}': image files have 1 or 3 channels but {} were requested.", dataset.source,
            frame.channels);
  } else {
    require(images.dim() == 4 && images.device().is_cpu() && images.numel() > 0, "data",
            "Images must be uint8 [N, C, H, W] on the CPU but are {}.", described(images));
  }
  require(frame.size >= 0 && frame.size <= kLargestSide && frame.resize >= 0 &&
              frame.resize <= 2 * kLargestSide && frame.shorter_side() >= frame.size,
          "data",
          "Data set '{}': the image size must be in [1, {}] and at most the resize size but got {} and {}.",
          dataset.source, kLargestSide, frame.size, frame.shorter_side());
  check_normalization(options.normalization, dataset.sizes()[1]);
}

/// Inputs that are no images are taken as they are.
void check_tensors(const Dataset& dataset, const BatchOptions& options) {
  const at::Tensor& inputs = dataset.inputs;
  const bool known = inputs.defined() && inputs.dim() >= 1 && inputs.device().is_cpu() &&
                     (at::isFloatingType(inputs.scalar_type()) || inputs.scalar_type() == at::kLong);
  require(
      known, "data",
      "Data set '{}': inputs must be images (uint8), floating point or int64 [N, …] on the CPU but are {}.",
      dataset.source, described(inputs));
  const auto only_images = [&](bool asked, const char* what) {
    require(!asked, "data", "Data set '{}': {} requires images (uint8 [N, C, H, W]) but the inputs are {}.",
            dataset.source, what, described(inputs));
  };
  only_images(options.augmentation.crop_padding != 0, "crop_padding");
  only_images(options.augmentation.flip, "flip");
  only_images(options.augmentation.random_resized_crop, "random_resized_crop");
  only_images(dataset.frame.size != 0, "an image size");
  only_images(options.normalization != Normalization{}, "normalization by mean and std");
}

}  // namespace

Batches::Batches(Dataset dataset, BatchOptions options)
    : dataset_(std::move(dataset)), options_(std::move(options)) {
  if (dataset_.holds_images()) {
    check_images(dataset_, options_);
  } else {
    check_tensors(dataset_, options_);
  }
  require(dataset_.size() >= 1 && dataset_.size() < std::numeric_limits<uint32_t>::max(), "data",
          "Data set '{}': the count of samples must be in [1, 2³²) but is {}.", dataset_.source,
          dataset_.size());
  require(options_.batch_size >= 1, "data", "Batches: batch_size must be at least 1 but got {}.",
          options_.batch_size);
  require(options_.ranks >= 1 && options_.rank >= 0 && options_.rank < options_.ranks, "data",
          "Batches: the rank must be in [0, {}) but is {}.", options_.ranks, options_.rank);
  constexpr int64_t kLargestPadding = 1 << 20;
  require(options_.augmentation.crop_padding >= 0 && options_.augmentation.crop_padding <= kLargestPadding,
          "data", "Batches: crop_padding must be in [0, {}] but got {}.", kLargestPadding,
          options_.augmentation.crop_padding);
  require(size() >= 1, "data", "Batches: drop_last with batch_size {} leaves no batch for {} samples.",
          options_.batch_size, dataset_.size());
  const auto& labels = dataset_.labels;
  const bool classes = dataset_.has_classes();
  require(
      !labels.defined() || (labels.dim() >= 1 && labels.size(0) == dataset_.size() &&
                            (!classes || (labels.dim() <= 2 && labels.scalar_type() == at::kLong))),
      "data",
      "Data set '{}': labels must be int64 [{}], int64 [{}, T] (one per position) or floating point [{}, …].",
      dataset_.source, dataset_.size(), dataset_.size(), dataset_.size());
  require(!labels.defined() || classes || labels.dim() < 3 ||
              (options_.augmentation.crop_padding == 0 && !options_.augmentation.flip &&
               !options_.augmentation.random_resized_crop),
          "data", "Data set '{}': random crops and flips cannot be used because the targets are {}.",
          dataset_.source, described(labels));
  constexpr int64_t kMostWorkers = 256;
  require(dataset_.workers >= -1 && dataset_.workers <= kMostWorkers, "data",
          "Data set '{}': the number of workers must be in [0, {}], or -1, but is {}.", dataset_.source,
          kMostWorkers, dataset_.workers);
  if (dataset_.inputs.defined()) dataset_.inputs = dataset_.inputs.contiguous();
}

int64_t Batches::size() const { return batch_count(dataset_.size(), options_); }

Epoch Batches::epoch(int64_t epoch) const {
  require(epoch >= 0, "data", "Batches: the epoch must be at least 0 but got {}.", epoch);
  return {dataset_, options_, epoch};
}

Epoch::Epoch(const Dataset& dataset, const BatchOptions& options, int64_t epoch)
    : source_(std::make_shared<const EpochSource>(dataset, options, epoch)) {
  if (source_->workers() > 0) ahead_ = std::make_shared<ReadAhead>(source_, source_->workers());
}

int64_t Epoch::size() const { return source_->size(); }

Batch Epoch::operator[](int64_t index) const {
  require<std::out_of_range>(index >= 0 && index < size(), "data",
                             "Epoch: the batch must be in [0, {}) but got {}.", size(), index);
  if (ahead_ != nullptr) return ahead_->take(index);
  BatchDraft draft = source_->draft(index);
  source_->make_all(draft);
  return source_->finished(std::move(draft));
}

Dataset in_memory(const Dataset& data) {
  if (data.files.size() == 0) return data;
  constexpr int64_t kImagesAtOnce = 32;
  std::vector<at::Tensor> images, labels;
  for (const Batch& batch : Batches(data, {.batch_size = kImagesAtOnce}).epoch(0)) {
    images.push_back((batch.inputs * 255).round_().to(at::kByte));
    if (batch.labels.defined()) labels.push_back(batch.labels);
  }
  Dataset result = data;
  result.inputs = at::cat(images);
  if (data.labels.defined()) result.labels = at::cat(labels);
  result.files = {};
  result.frame = {};
  result.skipped = nullptr;
  return result;
}

}  // namespace inn
