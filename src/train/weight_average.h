#pragma once
// The exponential moving average of a run's weights.

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

namespace inn {

using NamedTensors = std::map<std::string, at::Tensor>;

/// Averages of tensors that change from step to step: after step t = 0, 1, … an average becomes d·average +
/// (1 − d)·tensor, d = min(decay, (t + 1)/(t + 10)), so that short runs forget the initial weights. Integer
/// counts are copied.
class WeightAverage {
 public:
  /// The averages start from the tensors' values. Stores references to the tensors, not copies.
  WeightAverage(NamedTensors tensors, double decay);

  void update(int64_t step);
  /// Swaps the values of the tensors and their averages, bit for bit.
  void exchange();
  /// Restores the averages of a checkpoint. Throws std::out_of_range if one is missing.
  void restore(const NamedTensors& averages);
  const NamedTensors& averages() const { return averages_; }

 private:
  NamedTensors tensors_, averages_;
  double decay_;
};

/// RAII: the tensors have the values of their averages; no effect without averages.
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
