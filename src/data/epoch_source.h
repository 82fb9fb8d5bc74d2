#pragma once
// What the batches of one epoch are made of, sample by sample.

#include <exception>
#include <optional>
#include <vector>

#include "inn/core/random.h"
#include "inn/data/batches.h"
#include "pixels.h"

namespace inn {

/// What is drawn for one sample.
struct DrawnAugmentation {
  PixelCut cut = {};
  std::optional<uint64_t> region = {};  // seeds the drawing of a part, which needs the image's size
};

/// A batch in the making.
struct BatchDraft {
  std::vector<int64_t> indices;  // which samples
  std::vector<DrawnAugmentation> drawn;
  at::Tensor inputs;                       // with room for all of them
  std::vector<std::exception_ptr> errors;  // of each sample, where it could not be made
};

class EpochSource {
 public:
  EpochSource(const Dataset& dataset, const BatchOptions& options, int64_t epoch);

  /// Returns the number of batches.
  int64_t size() const;
  int64_t batch_size() const { return options_.batch_size; }
  int64_t workers() const;
  /// Returns batch `index` with no sample made. From any thread.
  BatchDraft draft(int64_t index) const;
  /// Makes one sample of a draft, or keeps its error. From any thread, for different samples at once.
  void make(BatchDraft& draft, size_t sample) const noexcept;
  /// Makes all samples of a draft, by torch's threads.
  void make_all(BatchDraft& draft) const;
  /// Returns the batch of a draft whose samples are made, or throws what the first of them met. Damaged
  /// images that the data set skips are left out.
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
