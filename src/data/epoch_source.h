#pragma once
// Samples of the batches of one epoch.

#include <exception>
#include <optional>
#include <vector>

#include "inn/core/random.h"
#include "inn/data/batches.h"
#include "pixels.h"

namespace inn {

/// Random choices for one sample.
struct DrawnAugmentation {
  PixelCut cut = {};
  std::optional<uint64_t> region = {};  // seed of the random region, which depends on the image's size
};

/// A batch under construction.
struct BatchDraft {
  std::vector<int64_t> indices;  // which samples
  std::vector<DrawnAugmentation> drawn;
  at::Tensor inputs;                       // with room for all of them
  std::vector<std::exception_ptr> errors;  // of each sample that failed
};

class EpochSource {
 public:
  EpochSource(const Dataset& dataset, const BatchOptions& options, int64_t epoch);

  /// Returns the number of batches.
  int64_t size() const;
  int64_t batch_size() const { return options_.batch_size; }
  int64_t workers() const;
  /// Returns the draft of batch `index`, without samples. Thread-safe.
  BatchDraft draft(int64_t index) const;
  /// Makes one sample of a draft, or stores its error. Thread-safe for different samples.
  void make(BatchDraft& draft, size_t sample) const noexcept;
  /// Makes all samples of a draft with torch's threads.
  void make_all(BatchDraft& draft) const;
  /// Returns the batch of a finished draft, or throws its first error. Corrupt images are left out if the
  /// data set skips them.
  Batch finished(BatchDraft draft) const;

 private:
  at::Tensor image(int64_t index, const DrawnAugmentation& drawn) const;
  void write_sample(BatchDraft& draft, size_t sample) const;

  Dataset dataset_;
  BatchOptions options_;
  int64_t epoch_;
  std::vector<int64_t> sizes_;  // of all inputs together
  std::vector<int64_t> order_;  // empty: as they stand
  std::optional<PixelWriter> writer_;
};

/// Returns the numbers as int64 [n].
at::Tensor as_tensor(const std::vector<int64_t>& numbers);

int64_t batch_count(int64_t samples, const BatchOptions& options);

}  // namespace inn
