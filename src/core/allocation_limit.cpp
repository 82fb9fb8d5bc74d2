#include "inn/core/allocation_limit.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

#include <limits>
#include <mutex>

#include "inn/core/error.h"

namespace inn {
namespace {

constexpr size_t kNoLimit = std::numeric_limits<size_t>::max();
thread_local size_t bytes_left = kNoLimit;

/// Torch's own allocator, counted in threads that have a limit.
class CountingAllocator final : public c10::Allocator {
 public:
  explicit CountingAllocator(c10::Allocator* torchs) : torchs_(*torchs) {}

  c10::DataPtr allocate(size_t bytes) override {
    if (bytes_left != kNoLimit) {
      require<std::runtime_error>(
          bytes <= bytes_left, "core",
          "a tensor of {} bytes is more than the memory that this computation may use.", bytes);
      bytes_left -= bytes;
    }
    return torchs_.allocate(bytes);
  }
  c10::DeleterFnPtr raw_deleter() const override { return torchs_.raw_deleter(); }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    torchs_.copy_data(to, from, bytes);
  }

 private:
  c10::Allocator& torchs_;
};

/// Torch has one allocator for all threads: it is replaced once, for good, so that no thread sees it change.
void count_allocations() {
  static std::once_flag once;
  std::call_once(once, [] {
    // Never freed: other threads may make tensors until the process ends.
    c10::SetCPUAllocator(new CountingAllocator(c10::GetCPUAllocator()), /*priority=*/255);
  });
}

}  // namespace

AllocationLimit::AllocationLimit(size_t bytes) : left_before_(bytes_left) {
  count_allocations();
  bytes_left = std::min(bytes_left, bytes);
}

AllocationLimit::~AllocationLimit() { bytes_left = left_before_; }

}  // namespace inn
