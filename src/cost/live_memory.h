#pragma once
// Tracking the memory of activations during a run.

#include <map>
#include <vector>

#include "inn/cost/memory.h"

namespace inn {

/// Tracks the sum of live tensors during one run: see peak_memory.
class LiveMemory {
 public:
  /// `network` must outlive this.
  explicit LiveMemory(const Network& network);

  /// Must be called for every tensor of one run, like Network::ForwardOptions::observe.
  void observe(ValueId value, const at::Tensor& tensor);

  /// Returns the peak up to the last observed tensor.
  const PeakMemory& peak() const { return peak_; }
  /// Returns the storages that are live now, in no order.
  std::vector<LiveStorage> live() const;

 private:
  void release(const std::vector<ValueId>& values);
  struct Storage {
    int64_t bytes = 0;
    int64_t values = 0;  // live ones that share it
    ValueId first = -1;  // the first of them; -1: the state
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
