#pragma once
// A limit on the memory of tensors, for computations that a file chose.

#include <cstddef>

namespace inn {

/// While it lives, CPU tensors that this thread makes may have this many bytes in all, freed ones included: the tensor that would
/// exceed it throws std::runtime_error instead of taking the machine's memory. Limits nest.
class AllocationLimit {
 public:
  explicit AllocationLimit(size_t bytes);
  ~AllocationLimit();
  AllocationLimit(const AllocationLimit&) = delete;
  AllocationLimit& operator=(const AllocationLimit&) = delete;

 private:
  size_t left_before_;
};

}  // namespace inn
