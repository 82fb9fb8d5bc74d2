#pragma once
// The exponential moving average of a run's weights.

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

namespace inn {

using NamedTensors = std::map<std::string, at::Tensor>;

/// Averages of tensors that change from step to step: after step t = 0, 1, … an average becomes d·average +
/// (1 − d)·tensor, d = min(decay, (t + 1)/(t + 10)), so that a short run forgets where it began. Counts
/// (integers) are taken as they are.
class WeightAverage {
 public:
  /// Averages that begin as the tensors are. The tensors themselves are kept, not copies.
  WeightAverage(NamedTensors tensors, double decay);

  void update(int64_t step);
  /// Exchanges the numbers of the tensors and of their averages, bit for bit.
  void exchange();
  /// Makes the averages those of a checkpoint. Throws std::out_of_range where one is missing.
  void restore(const NamedTensors& averages);
  const NamedTensors& averages() const { return averages_; }

 private:
  NamedTensors tensors_, averages_;
  double decay_;
};

/// While it lives, the tensors hold their averages; nothing where there is none.
class AveragedWeights {
 public:
  explicit AveragedWeights(WeightAverage* average) : average_(average) {
    if (average_ != nullptr) average_->exchange();
  }
  ~AveragedWeights() {
    if (average_ != nullptr) average_->exchange();
  }
  AveragedWeights(const AveragedWeights&) = delete;
  AveragedWeights& operator=(const AveragedWeights&) = delete;

 private:
  WeightAverage* average_;
};

}  // namespace inn
