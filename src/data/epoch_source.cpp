#include "epoch_source.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <cstring>
#include <thread>

#include "decoders.h"
#include "inn/core/error.h"
#include "inn/core/ranks.h"
#include "inn/data/image.h"

namespace inn {
namespace {

// Keys that keep an epoch's order and the augmentation of its batches apart.
constexpr uint64_t kOrderKey = 0, kAugmentationKey = 1;
constexpr int64_t kMostDefaultWorkers = 4;

DrawnAugmentation draw(const Augmentation& options, Random& random) {
  DrawnAugmentation result;
  if (options.crop_padding > 0) {
    const auto places = static_cast<uint32_t>(2 * options.crop_padding + 1);
    result.cut.down = static_cast<int64_t>(random.below(places)) - options.crop_padding;
    result.cut.right = static_cast<int64_t>(random.below(places)) - options.crop_padding;
  }
  if (options.flip) result.cut.mirrored = random.below(2) == 1;
  if (options.random_resized_crop) result.region = random.next();
  return result;
}

}  // namespace

at::Tensor as_tensor(const std::vector<int64_t>& numbers) {
  const auto count = static_cast<int64_t>(numbers.size());
  return at::from_blob(const_cast<int64_t*>(numbers.data()), {count}, at::kLong).clone();
}

int64_t batch_count(int64_t samples, const BatchOptions& options) {
  return options.drop_last ? samples / options.batch_size
                           : (samples + options.batch_size - 1) / options.batch_size;
}

EpochSource::EpochSource(const Dataset& dataset, const BatchOptions& options, int64_t epoch)
    : dataset_(dataset), options_(options), epoch_(epoch), sizes_(dataset.sizes()) {
  if (options_.shuffle)
    order_ = shuffled(dataset_.size(), Random(options_.seed).at(kOrderKey).at(static_cast<uint64_t>(epoch)));
  if (dataset_.holds_images()) writer_.emplace(options_.normalization, sizes_[1]);
}

int64_t EpochSource::size() const { return batch_count(dataset_.size(), options_); }

int64_t EpochSource::workers() const {
  if (dataset_.workers >= 0) return dataset_.workers;
  if (dataset_.files.size() == 0) return 0;
  return std::clamp<int64_t>(std::thread::hardware_concurrency(), 1, kMostDefaultWorkers);
}

BatchDraft EpochSource::draft(int64_t index) const {
  const int64_t first = index * options_.batch_size;
  const int64_t count = std::min(options_.batch_size, dataset_.size() - first);
  Random random = Random(options_.seed)
                      .at(kAugmentationKey)
                      .at(static_cast<uint64_t>(epoch_))
                      .at(static_cast<uint64_t>(index));
  BatchDraft draft;
  const auto [from, to] = share_of(count, options_.rank, options_.ranks);
  for (int64_t place = 0; place < count; ++place) {
    // Drawn for the samples of other ranks too, so that all get the same.
    const auto drawn = draw(options_.augmentation, random);
    if (place < from || place >= to) continue;
    draft.indices.push_back(order_.empty() ? first + place : order_[static_cast<size_t>(first + place)]);
    draft.drawn.push_back(drawn);
  }
  draft.errors.resize(draft.indices.size());
  auto sizes = sizes_;
  sizes[0] = to - from;
  draft.inputs = at::empty(sizes, writer_ ? at::kFloat : dataset_.inputs.scalar_type());
  return draft;
}

at::Tensor EpochSource::image(int64_t index, const DrawnAugmentation& drawn) const {
  const bool in_file = dataset_.files.size() > 0;
  at::Tensor image = in_file ? read_image(dataset_.files[index]) : dataset_.inputs.select(0, index);
  if (in_file && dataset_.frame.channels == 1) image = to_grayscale(image);
  if (drawn.region) {
    Random random(*drawn.region);
    const auto part = random_region(image.size(1), image.size(2), random);
    image = resize_image(image.narrow(1, part.top, part.height).narrow(2, part.left, part.width), sizes_[2],
                         sizes_[3]);
  } else if (dataset_.frame.size > 0) {
    try {
      image = resize_center_crop(image, dataset_.frame);
    } catch (const ImageDamage& damage) {
      if (!in_file) throw;
      throw DamagedImage(dataset_.files[index], damage.what());
    }
  }
  return image.contiguous();
}

void EpochSource::write_sample(BatchDraft& draft, size_t sample) const {
  const int64_t index = draft.indices[sample], size = draft.inputs.numel() / draft.inputs.size(0);
  if (writer_) {
    const at::Tensor pixels = image(index, draft.drawn[sample]);
    writer_->write(pixels.const_data_ptr<uint8_t>(),
                   draft.inputs.data_ptr<float>() + static_cast<int64_t>(sample) * size, pixels.size(1),
                   pixels.size(2), draft.drawn[sample].cut);
    return;
  }
  const auto bytes = static_cast<size_t>(size) * draft.inputs.element_size();
  std::memcpy(static_cast<char*>(draft.inputs.data_ptr()) + sample * bytes,
              static_cast<const char*>(dataset_.inputs.const_data_ptr()) + static_cast<size_t>(index) * bytes,
              bytes);
}

void EpochSource::make(BatchDraft& draft, size_t sample) const noexcept {
  try {
    write_sample(draft, sample);
  } catch (...) {
    draft.errors[sample] = std::current_exception();
  }
}

void EpochSource::make_all(BatchDraft& draft) const {
  const auto count = static_cast<int64_t>(draft.indices.size());
  constexpr int64_t kNumbersPerThread = 1 << 15;
  const int64_t grain =
      dataset_.files.size() > 0
          ? 1
          : std::max<int64_t>(1, kNumbersPerThread / std::max<int64_t>(1, draft.inputs.numel() / count));
  at::parallel_for(0, count, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) make(draft, static_cast<size_t>(i));
  });
}

Batch EpochSource::finished(BatchDraft draft) const {
  std::vector<int64_t> made;
  for (size_t i = 0; i < draft.indices.size(); ++i) {
    if (draft.errors[i] == nullptr) {
      made.push_back(static_cast<int64_t>(i));
      continue;
    }
    try {
      std::rethrow_exception(draft.errors[i]);
    } catch (const DamagedImage& damaged) {
      if (dataset_.skipped == nullptr) throw;
      dataset_.skipped->add(dataset_.files[draft.indices[i]], damaged.reason());
    }
  }
  Batch batch{.inputs = draft.inputs, .labels = {}, .indices = as_tensor(draft.indices)};
  if (made.size() < draft.indices.size()) {
    const at::Tensor rows = as_tensor(made);
    batch.inputs = batch.inputs.index_select(0, rows);
    batch.indices = batch.indices.index_select(0, rows);
  }
  if (dataset_.labels.defined()) batch.labels = dataset_.labels.index_select(0, batch.indices);
  return batch;
}

}  // namespace inn
