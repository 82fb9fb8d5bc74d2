#include "inn/data/batches.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numeric>

#include "inn/core/error.h"
#include "inn/core/random.h"

namespace inn {
namespace {

constexpr int64_t kPixelValues = 256;
using PixelTable = std::array<float, kPixelValues>;

std::string described(const at::Tensor& tensor) {
  return tensor.defined() ? fmt::format("{} with {} axes", tensor.toString(), tensor.dim()) : "undefined";
}

void check_images(const at::Tensor& images) {
  require(
      images.defined() && images.dim() == 4 && images.scalar_type() == at::kByte && images.device().is_cpu(),
      "data", "Images must be uint8 [N, C, H, W] on the CPU but are {}.", described(images));
}

void check_normalization(const Normalization& normalization, int64_t channels) {
  const auto check = [channels](const char* name, const std::vector<double>& values, double above) {
    const auto count = static_cast<int64_t>(values.size());
    require(count == 1 || count == channels, "data", "Normalization: {} must have 1 or {} values but has {}.",
            name, channels, count);
    for (const double value : values) {
      require(std::isfinite(value) && value > above, "data", "Normalization: {} must be finite{} but has {}.",
              name, above == 0 ? " and positive" : "", value);
    }
  };
  check("mean", normalization.mean, -std::numeric_limits<double>::infinity());
  check("std", normalization.std, 0);
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
    require(!asked, "data", "Data set '{}': {} is of images (uint8 [N, C, H, W]) but the inputs are {}.",
            dataset.source, what, described(inputs));
  };
  only_images(options.crop_padding != 0, "crop_padding");
  only_images(options.flip, "flip");
  only_images(options.normalization != Normalization{}, "normalization by mean and std");
}

/// For each channel what each of the 256 pixel values becomes.
std::vector<PixelTable> pixel_tables(const Normalization& normalization, int64_t channels) {
  const auto at = [](const std::vector<double>& values, int64_t c) {
    return values[values.size() == 1 ? 0 : static_cast<size_t>(c)];
  };
  std::vector<PixelTable> tables(static_cast<size_t>(channels));
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t value = 0; value < kPixelValues; ++value) {
      const double scaled = static_cast<double>(value) / 255.0;
      tables[static_cast<size_t>(c)][static_cast<size_t>(value)] =
          static_cast<float>((scaled - at(normalization.mean, c)) / at(normalization.std, c));
    }
  }
  return tables;
}

/// Where an image is cut: output pixel (y, x) is input pixel (y + down, x + right), x mirrored first where
/// asked.
struct Augmentation {
  int64_t down = 0, right = 0;
  bool mirrored = false;
};

Augmentation draw_augmentation(const BatchOptions& options, Random& random) {
  Augmentation result;
  if (options.crop_padding > 0) {
    const auto places = static_cast<uint32_t>(2 * options.crop_padding + 1);
    result.down = static_cast<int64_t>(random.below(places)) - options.crop_padding;
    result.right = static_cast<int64_t>(random.below(places)) - options.crop_padding;
  }
  if (options.flip) result.mirrored = random.below(2) == 1;
  return result;
}

/// Writes one channel of an image. Pixels from outside are black, which is 0 before normalization.
void write_channel(const uint8_t* from, float* to, int64_t height, int64_t width, const PixelTable& table,
                   const Augmentation& cut) {
  const float black = table[0];
  // Columns [first, last) of the cut image come from inside the source.
  const int64_t first = std::clamp<int64_t>(-cut.right, 0, width);
  const int64_t last = std::clamp<int64_t>(width - cut.right, 0, width);
  for (int64_t y = 0; y < height; ++y, to += width) {
    const int64_t source_y = y + cut.down;
    if (source_y < 0 || source_y >= height) {
      std::fill_n(to, width, black);
      continue;
    }
    const uint8_t* row = from + source_y * width + cut.right;
    std::fill(to, to + first, black);
    for (int64_t x = first; x < last; ++x) to[x] = table[row[x]];
    std::fill(to + last, to + width, black);
    if (cut.mirrored) std::reverse(to, to + width);
  }
}

/// Returns the images at `indices`, cut as `cuts` says.
at::Tensor gather(const at::Tensor& images, const std::vector<int64_t>& indices,
                  const std::vector<Augmentation>& cuts, const Normalization& normalization) {
  const at::Tensor source = images.contiguous();
  const int64_t channels = source.size(1), height = source.size(2), width = source.size(3);
  const auto tables = pixel_tables(normalization, channels);
  at::Tensor result = at::empty({static_cast<int64_t>(indices.size()), channels, height, width}, at::kFloat);
  const auto* from = source.const_data_ptr<uint8_t>();
  auto* to = result.data_ptr<float>();
  const int64_t area = height * width;
  constexpr int64_t kPixelsPerThread = 1 << 15;
  const int64_t grain = std::max<int64_t>(1, kPixelsPerThread / std::max<int64_t>(1, channels * area));
  at::parallel_for(0, result.size(0), grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto slot = static_cast<size_t>(i);
      for (int64_t c = 0; c < channels; ++c) {
        write_channel(from + (indices[slot] * channels + c) * area, to + (i * channels + c) * area, height,
                      width, tables[static_cast<size_t>(c)], cuts[slot]);
      }
    }
  });
  return result;
}

std::vector<int64_t> shuffled(int64_t count, Random random) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), int64_t{0});
  for (size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1], order[random.below(static_cast<uint32_t>(i))]);
  return order;
}

int64_t batch_count(int64_t samples, const BatchOptions& options) {
  return options.drop_last ? samples / options.batch_size
                           : (samples + options.batch_size - 1) / options.batch_size;
}

// Keys that keep an epoch's order and the augmentation of its batches apart.
constexpr uint64_t kOrderKey = 0, kAugmentationKey = 1;

}  // namespace

at::Tensor normalize(const at::Tensor& images, const Normalization& normalization) {
  check_images(images);
  check_normalization(normalization, images.size(1));
  std::vector<int64_t> indices(static_cast<size_t>(images.size(0)));
  std::iota(indices.begin(), indices.end(), int64_t{0});
  return gather(images, indices, std::vector<Augmentation>(indices.size()), normalization);
}

Batches::Batches(Dataset dataset, BatchOptions options)
    : dataset_(std::move(dataset)), options_(std::move(options)) {
  if (dataset_.holds_images()) {
    check_images(dataset_.inputs);
    check_normalization(options_.normalization, dataset_.inputs.size(1));
  } else {
    check_tensors(dataset_, options_);
  }
  require(dataset_.size() >= 1 && dataset_.size() < std::numeric_limits<uint32_t>::max(), "data",
          "Data set '{}': the count of samples must be in [1, 2³²) but is {}.", dataset_.source,
          dataset_.size());
  require(options_.batch_size >= 1, "data", "Batches: batch_size must be at least 1 but got {}.",
          options_.batch_size);
  constexpr int64_t kLargestPadding = 1 << 20;
  require(options_.crop_padding >= 0 && options_.crop_padding <= kLargestPadding, "data",
          "Batches: crop_padding must be in [0, {}] but got {}.", kLargestPadding, options_.crop_padding);
  require(size() >= 1, "data", "Batches: drop_last with batch_size {} leaves no batch of {} samples.",
          options_.batch_size, dataset_.size());
  const auto& labels = dataset_.labels;
  const bool classes = dataset_.has_classes();
  require(
      !labels.defined() || (labels.dim() >= 1 && labels.size(0) == dataset_.size() &&
                            (!classes || (labels.dim() <= 2 && labels.scalar_type() == at::kLong))),
      "data",
      "Data set '{}': labels must be int64 [{}], or [{}, T] for one a position, or floating point [{}, …].",
      dataset_.source, dataset_.size(), dataset_.size(), dataset_.size());
  require(!labels.defined() || classes || labels.dim() < 3 || (options_.crop_padding == 0 && !options_.flip),
          "data", "Data set '{}': crop_padding and flip move images but not the targets, which are {}.",
          dataset_.source, described(labels));
  dataset_.inputs = dataset_.inputs.contiguous();
}

int64_t Batches::size() const { return batch_count(dataset_.size(), options_); }

Epoch Batches::epoch(int64_t epoch) const {
  require(epoch >= 0, "data", "Batches: the epoch must be at least 0 but got {}.", epoch);
  return {dataset_, options_, epoch};
}

Epoch::Epoch(Dataset dataset, BatchOptions options, int64_t epoch)
    : dataset_(std::move(dataset)), options_(std::move(options)), epoch_(epoch) {
  if (!options_.shuffle) return;
  order_ = shuffled(dataset_.size(), Random(options_.seed).at(kOrderKey).at(static_cast<uint64_t>(epoch)));
}

int64_t Epoch::size() const { return batch_count(dataset_.size(), options_); }

Batch Epoch::operator[](int64_t index) const {
  require<std::out_of_range>(index >= 0 && index < size(), "data",
                             "Epoch: the batch must be in [0, {}) but got {}.", size(), index);
  const int64_t first = index * options_.batch_size;
  const int64_t count = std::min(options_.batch_size, dataset_.size() - first);
  Random random = Random(options_.seed)
                      .at(kAugmentationKey)
                      .at(static_cast<uint64_t>(epoch_))
                      .at(static_cast<uint64_t>(index));
  std::vector<int64_t> indices(static_cast<size_t>(count));
  std::vector<Augmentation> cuts(indices.size());
  for (size_t i = 0; i < indices.size(); ++i) {
    const auto place = static_cast<size_t>(first) + i;
    indices[i] = order_.empty() ? static_cast<int64_t>(place) : order_[place];
    cuts[i] = draw_augmentation(options_, random);
  }
  Batch batch;
  batch.indices = at::from_blob(indices.data(), {count}, at::kLong).clone();
  batch.inputs = dataset_.holds_images() ? gather(dataset_.inputs, indices, cuts, options_.normalization)
                                         : dataset_.inputs.index_select(0, batch.indices);
  if (dataset_.labels.defined()) batch.labels = dataset_.labels.index_select(0, batch.indices);
  return batch;
}

}  // namespace inn
