#pragma once
// Following the memory of activations through a run.

#include <map>
#include <vector>

#include "inn/cost/memory.h"

namespace inn {

/// The sum of live tensors, followed through one run: see peak_memory.
class LiveMemory {
 public:
  /// `network` must outlive this.
  explicit LiveMemory(const Network& network);

  /// To be told of every tensor of one run, as Network::ForwardOptions::observe is.
  void observe(ValueId value, const at::Tensor& tensor);

  /// Returns the most so far, after the last tensor that was observed.
  const PeakMemory& peak() const { return peak_; }

 private:
  void release(const std::vector<ValueId>& values);
  struct Storage {
    int64_t bytes = 0;
    int64_t values = 0;  // live ones that share it
  };

  const Network& network_;
  std::vector<size_t> maker_;                   // by value: its call; the count of calls for inputs
  std::vector<ValueId> unread_;                 // inputs that no call reads
  std::vector<std::vector<ValueId>> released_;  // by call: values whose last use it is
  std::vector<const void*> storage_of_;         // by value: of live ones
  std::map<const void*, Storage> storages_;     // live ones
  size_t finished_ = 0;                         // calls whose values have been released
  int64_t live_ = 0;
  PeakMemory peak_;
};

}  // namespace inn
