#include "read_ahead.h"

#include <ATen/Parallel.h>

#include <algorithm>

namespace inn {
namespace {

/// Batches are held that many at least, and as many more as give every worker two samples.
constexpr int64_t kLeastAhead = 3, kSamplesEach = 2;

size_t most_slots(int64_t workers, int64_t batch_size) {
  return static_cast<size_t>(std::max(kLeastAhead, (kSamplesEach * workers + batch_size - 1) / batch_size));
}

}  // namespace

ReadAhead::ReadAhead(std::shared_ptr<const EpochSource> source, int64_t workers)
    : source_(std::move(source)),
      workers_(workers),
      most_slots_(most_slots(workers, source_->batch_size())) {}

ReadAhead::~ReadAhead() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_.notify_all();
  for (auto& thread : threads_) thread.join();
}

/// torch's number of threads is each thread's own, and what new threads begin with: the first is set to 1 in
/// each worker, the second put back.
void ReadAhead::start() {
  struct OwnThreads {
    int count = at::get_num_threads();
    ~OwnThreads() { at::set_num_threads(count); }
  } const own;
  for (int64_t i = 0; i < workers_; ++i) {
    threads_.emplace_back([this] { work(); });
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [&] { return running_ == i + 1; });
  }
}

Batch ReadAhead::take(int64_t index) {
  const std::lock_guard one(taking_);
  if (threads_.empty()) {
    next_ = index;
    start();
  }
  std::shared_ptr<Slot> slot;
  {
    std::unique_lock lock(mutex_);
    const int64_t first = slots_.empty() ? next_ : slots_.front()->index;
    if (first != index) {
      slots_.clear();
      next_ = index;
    }
    work_.notify_all();
    ready_.wait(lock, [&] { return !slots_.empty() && slots_.front()->ready(); });
    slot = slots_.front();
    slots_.pop_front();
  }
  work_.notify_all();
  if (slot->failure != nullptr) std::rethrow_exception(slot->failure);
  return source_->finished(std::move(slot->draft));
}

std::shared_ptr<ReadAhead::Slot> ReadAhead::next_slot() {
  for (const auto& slot : slots_)
    if (slot->begun < slot->draft.indices.size()) return slot;
  if (slots_.size() >= most_slots_ || next_ >= source_->size()) return nullptr;
  auto slot = std::make_shared<Slot>();
  slot->index = next_++;
  try {
    slot->draft = source_->draft(slot->index);
  } catch (...) {  // no memory
    slot->failure = std::current_exception();
    slot->draft = {};
  }
  slots_.push_back(slot);
  ready_.notify_all();
  return slot;
}

void ReadAhead::work() {
  at::get_num_threads();  // makes torch set this thread's number, which it does once
  at::set_num_threads(1);
  std::unique_lock lock(mutex_);
  ++running_;
  ready_.notify_all();
  while (true) {
    std::shared_ptr<Slot> slot;
    work_.wait(lock, [&] { return stop_ || (slot = next_slot()) != nullptr; });
    if (stop_) return;
    if (slot->ready()) continue;  // it has no samples
    const size_t sample = slot->begun++;
    lock.unlock();
    source_->make(slot->draft, sample);
    lock.lock();
    if (++slot->done == slot->draft.indices.size()) ready_.notify_all();
  }
}

}  // namespace inn
