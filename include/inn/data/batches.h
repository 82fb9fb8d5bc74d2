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

/// Random augmentation of images.
struct Augmentation {
  /// Pads each image by this number of black pixels on every side and crops it at a random position; 0: off.
  int64_t crop_padding = 0;
  /// Random horizontal flip with probability 1/2.
  bool flip = false;
  /// Crops a random region (random_region) of each image and resizes it to the size of the data set's frame,
  /// or of the images; replaces the frame's resizing and cropping.
  bool random_resized_crop = false;
};

struct BatchOptions {
  int64_t batch_size = 128;
  bool shuffle = false;
  uint64_t seed = 0;
  Augmentation augmentation = {};
  /// Drops the last batch of an epoch if it is smaller than the others.
  bool drop_last = false;
  Normalization normalization = {};
  /// Of each batch of n samples only those from rank·n/ranks to (rank + 1)·n/ranks, for runs in several processes. It may
  /// be none.
  int64_t rank = 0, ranks = 1;
};

/// Network inputs on the CPU. B = 0 if all images of a batch are corrupt and the data set skips those.
struct Batch {
  at::Tensor inputs;  // float32 [B, C, H, W] of images; else as the data set holds them
  at::Tensor labels;  // int64 [B] or [B, T], or floating point [B, …]; undefined where the data set has none
  at::Tensor indices;  // int64 [B]: which samples of the data set

  bool empty() const { return indices.size(0) == 0; }
};

/// The batches of one epoch, in order. Batch i is a function of (seed, epoch, i) and the data alone.
///
/// If the data set has workers, threads prefetch the next batches after the last requested one and end with
/// the epoch. Otherwise a batch is made on request.
class Epoch {
 public:
  int64_t size() const;
  /// Returns batch `index`, without corrupt images if the data set skips those. Throws std::out_of_range
  /// unless 0 ≤ index < size(); DamagedImage for the first image of the batch that cannot be decoded.
  /// Thread-safe.
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
  std::shared_ptr<ReadAhead> ahead_;  // null without prefetching
};

/// The batches of a data set in every epoch.
///
/// Deterministic: the order of the samples is a function of (seed, epoch), a batch's augmentation one of
/// (seed, epoch, index). A run can therefore resume at any (epoch, index). The generator is the library's
/// own: torch's is not used, and the same seed gives the same batches for every version of torch and any
/// number of workers.
class Batches {
 public:
  /// Throws std::invalid_argument if an option is out of range or does not fit the inputs.
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

/// Returns the data set with its image files decoded and resized, uint8 [N, C, H, W] in memory, which gives
/// the same batches. Skipped corrupt images are removed. A data set without files is returned unchanged.
Dataset in_memory(const Dataset& data);

}  // namespace inn
