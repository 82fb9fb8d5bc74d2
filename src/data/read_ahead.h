#pragma once
// Prefetching of batches by worker threads.

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "epoch_source.h"

namespace inn {

/// Prefetches the batches of an epoch; all workers cooperate on the next batch first.
///
/// take(i) returns the source's batch i, independent of the number of workers and of earlier calls. In
/// sequential order the next few batches are prefetched; in another order prefetching restarts. At most a few
/// batches are held. Workers do not use torch's threads. They end with the object, each after its current
/// sample.
class ReadAhead {
 public:
  /// workers: at least 1. They start with the first take().
  ReadAhead(std::shared_ptr<const EpochSource> source, int64_t workers);
  ~ReadAhead();
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  /// Waits for batch `index` and returns it. Propagates errors of the source.
  Batch take(int64_t index);

 private:
  struct Slot {
    int64_t index = 0;
    BatchDraft draft = {};
    size_t begun = 0, done = 0;       // samples
    std::exception_ptr failure = {};  // why there is no draft
    bool ready() const { return done == draft.indices.size(); }
  };

  void start();
  void work();
  /// Returns a slot with remaining samples, or nothing if there is nothing to do. Requires the lock.
  std::shared_ptr<Slot> next_slot();

  const std::shared_ptr<const EpochSource> source_;
  const int64_t workers_;
  const size_t most_slots_;
  std::vector<std::thread> threads_;

  std::mutex taking_;  // one taker at a time
  std::mutex mutex_;   // of all below
  std::condition_variable work_, ready_;
  std::deque<std::shared_ptr<Slot>> slots_;  // in the order of their indices
  int64_t next_ = 0;                         // the batch of the next slot
  int64_t running_ = 0;                      // workers that have begun
  bool stop_ = false;
};

}  // namespace inn
