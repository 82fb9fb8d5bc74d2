#pragma once
// Second moments accumulated over batches.

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace inn {

/// Adds A·Aᵀ to `sum` in place, which is symmetric and stays so: [n, n] and [n, rows], or [g, n, n] and
/// [g, n, rows]. About half the work of a product of two matrices, for large n.
void add_gram(const at::Tensor& sum, const at::Tensor& a);

/// E[a aᵀ] and E[a] of n numbers. float64, on the CPU.
class Moments {
 public:
  /// rows: [n, columns], one column per observation.
  void add(const at::Tensor& rows);
  /// Adds what the other ranks have seen; all ranks must have seen something.
  void sum_over_ranks();

  int64_t count() const { return count_; }
  bool any() const { return count_ > 0; }
  at::Tensor second() const;
  /// E[a aᵀ] − E[a] E[a]ᵀ.
  at::Tensor centered() const;

 private:
  at::Tensor square_, sum_;
  int64_t count_ = 0;
};

}  // namespace inn
