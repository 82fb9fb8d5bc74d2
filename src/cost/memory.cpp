#include "inn/cost/memory.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "inn/network/liveness.h"
#include "live_memory.h"

namespace inn {
namespace {

/// The state's storages are never counted: they have this many users for good.
constexpr int64_t kOfTheState = int64_t{1} << 40;

}  // namespace

LiveMemory::LiveMemory(const Network& network)
    : network_(network),
      maker_(network.values.size(), network.calls.size()),
      storage_of_(network.values.size()) {
  auto liveness = liveness_of(network);
  unread_ = std::move(liveness.unread);
  released_ = std::move(liveness.released);
  for (size_t c = 0; c < network.calls.size(); ++c)
    for (const auto& result : network.calls[c].results)
      for (const auto id : result.values) maker_[id] = c;
  for (const auto& entry : network.state)
    storages_[entry.tensor.storage().unsafeGetStorageImpl()] = {0, kOfTheState};
}

void LiveMemory::observe(ValueId value, const at::Tensor& tensor) {
  const size_t call = maker_[value];
  if (call < network_.calls.size()) {
    release(std::exchange(unread_, {}));
    while (finished_ < call) release(released_[finished_++]);
  }
  if (!tensor.has_storage()) return;
  const void* key = tensor.storage().unsafeGetStorageImpl();
  Storage& storage = storages_[key];
  if (storage.values++ == 0) {
    storage.bytes = static_cast<int64_t>(tensor.storage().nbytes());
    live_ += storage.bytes;
    storage.first = value;
  }
  storage_of_[value] = key;
  if (live_ <= peak_.bytes) return;
  peak_.bytes = live_;
  if (call == network_.calls.size()) return;
  const auto& name = network_.calls[call].module;
  peak_.call = name.empty() ? network_.values[value].name : name;
}

void LiveMemory::release(const std::vector<ValueId>& values) {
  for (const auto value : values) {
    const void* key = std::exchange(storage_of_[value], nullptr);
    if (key == nullptr) continue;  // the state, or no tensor
    const auto found = storages_.find(key);
    if (--found->second.values > 0) continue;
    live_ -= found->second.bytes;
    storages_.erase(found);
  }
}

std::vector<LiveStorage> LiveMemory::live() const {
  std::vector<LiveStorage> live;
  for (const auto& [key, storage] : storages_)
    if (storage.first >= 0) live.push_back({storage.first, storage.bytes});
  return live;
}

namespace {

/// Calls `seen(memory, value)` after each tensor of the run.
template <class Seen>
void run_observed(const Network& source, const std::vector<c10::IValue>& inputs, const Seen& seen) {
  const at::NoGradGuard no_grad;
  Network network = source;
  network.set_training(false);
  LiveMemory memory(network);
  network.forward(inputs, network.tensors(), {.observe = [&](ValueId value, const at::Tensor& tensor) {
                    memory.observe(value, tensor);
                    seen(memory, value);
                  }});
}

}  // namespace

PeakMemory peak_memory(const Network& source, const std::vector<c10::IValue>& inputs) {
  PeakMemory peak;
  run_observed(source, inputs, [&](const LiveMemory& memory, ValueId) { peak = memory.peak(); });
  return peak;
}

std::vector<std::vector<LiveStorage>> live_storages(const Network& source,
                                                    const std::vector<c10::IValue>& inputs) {
  std::vector<std::vector<LiveStorage>> moments;
  run_observed(source, inputs, [&](const LiveMemory& memory, ValueId value) {
    auto live = memory.live();
    const auto is_its = [&](const LiveStorage& storage) { return storage.value == value; };
    if (std::any_of(live.begin(), live.end(), is_its)) moments.push_back(std::move(live));
  });
  return moments;
}

}  // namespace inn
