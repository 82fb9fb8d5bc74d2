#pragma once
// Batches of a data set: in order or shuffled, augmented, normalized.

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>

#include "inn/data/dataset.h"
#include "inn/data/normalization.h"

namespace inn {

class EpochSource;
class ReadAhead;

/// What changes images at random. Of images alone.
struct Augmentation {
  /// Each image is padded by so many black pixels on every side and cut to its size at a random place; 0:
  /// not.
  int64_t crop_padding = 0;
  /// Each image is mirrored left to right with probability 1/2.
  bool flip = false;
  /// Of each image a part drawn by random_region() is resized to the size that the data set's frame, or the
  /// images themselves, have. It takes the place of the frame's resizing and cutting.
  bool random_resized_crop = false;
};

struct BatchOptions {
  int64_t batch_size = 128;
  bool shuffle = false;
  uint64_t seed = 0;
  Augmentation augmentation = {};
  /// Leaves out the last batch of an epoch where it would be smaller than the others.
  bool drop_last = false;
  Normalization normalization = {};
};

/// Inputs as a network takes them, on the CPU. A batch whose images are all damaged, of a data set that
/// leaves such out, has none: B = 0.
struct Batch {
  at::Tensor inputs;  // float32 [B, C, H, W] of images; else as the data set holds them
  at::Tensor labels;  // int64 [B] or [B, T], or floating point [B, …]; undefined where the data set has none
  at::Tensor indices;  // int64 [B]: which samples of the data set

  bool empty() const { return indices.size(0) == 0; }
};

/// The batches of one epoch, in order. Batch i is a function of (seed, epoch, i) and the data alone.
///
/// Where the data set has workers, batches behind the one that was asked for last are made ahead of being
/// asked for, a few of them, by threads that end with the epoch; asked for in order they are there at once.
/// Otherwise a batch is made when it is asked for.
class Epoch {
 public:
  int64_t size() const;
  /// Returns batch `index`; smaller by the damaged images where the data set skips those. Throws
  /// std::out_of_range unless 0 ≤ index < size(); DamagedImage for the first image of the batch that can't be
  /// decoded, std::runtime_error where no image of it can. From one thread at a time or several.
  Batch operator[](int64_t index) const;

  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Batch;
    using difference_type = std::ptrdiff_t;
    using pointer = const Batch*;
    using reference = Batch;

    Iterator() = default;
    Iterator(const Epoch* epoch, int64_t index) : epoch_(epoch), index_(index) {}
    Batch operator*() const { return (*epoch_)[index_]; }
    Iterator& operator++() {
      ++index_;
      return *this;
    }
    void operator++(int) { ++index_; }
    bool operator==(const Iterator& other) const { return index_ == other.index_; }

   private:
    const Epoch* epoch_ = nullptr;
    int64_t index_ = 0;
  };
  Iterator begin() const { return {this, 0}; }
  Iterator end() const { return {this, size()}; }

 private:
  friend class Batches;
  Epoch(const Dataset& dataset, const BatchOptions& options, int64_t epoch);

  std::shared_ptr<const EpochSource> source_;
  std::shared_ptr<ReadAhead> ahead_;  // none where nothing is made ahead
};

/// A data set cut into batches, anew in every epoch.
///
/// Deterministic: the order of the samples is a function of (seed, epoch), a batch's augmentation one of
/// (seed, epoch, index). So a run goes on at any (epoch, index) as if it had never stopped. The generator is
/// the library's own, so torch's is neither read nor moved, and the same seed gives the same batches with
/// every version of torch; and whatever the number of workers.
class Batches {
 public:
  /// Throws std::invalid_argument where an option is out of its range or does not fit the inputs.
  Batches(Dataset dataset, BatchOptions options);

  /// Returns the number of batches in an epoch.
  int64_t size() const;
  /// Returns the batches of epoch `epoch` ≥ 0.
  Epoch epoch(int64_t epoch) const;

  const Dataset& dataset() const { return dataset_; }
  const BatchOptions& options() const { return options_; }

 private:
  Dataset dataset_;
  BatchOptions options_;
};

/// Returns the data set with its images decoded and brought to their size, uint8 [N, C, H, W] in memory, so
/// that batches of it are those of `data`. Damaged images that it skips are gone. A data set without files is
/// returned as it is.
Dataset in_memory(const Dataset& data);

}  // namespace inn
