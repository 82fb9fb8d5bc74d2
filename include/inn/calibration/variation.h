#pragma once
// What squared errors are relative to.

#include <ATen/core/Tensor.h>

namespace inn {

/// Σ (a − ā)² over all numbers of a value, in batches. float64.
class Variation {
 public:
  void add(const at::Tensor& value);
  /// Adds what the other ranks have seen.
  void sum_over_ranks();

  /// At least 0.
  double sum() const;

 private:
  double sum_ = 0, square_ = 0, count_ = 0;
};

}  // namespace inn
