#pragma once
// Running a network layer by layer on calibration batches, with cached activations.

#include <ATen/core/ivalue.h>

#include <cstdint>
#include <functional>
#include <numeric>
#include <optional>
#include <span>
#include <vector>

#include "inn/calibration/calibration.h"
#include "inn/network/network.h"

namespace inn {

/// A network and the batches that it runs on.
///
/// Weights are refit from the first call to the last. The activations needed by later calls are cached for
/// all batches if they fit into `memory` bytes; otherwise each run starts at the last cached position, or at
/// the inputs. Caching never changes results.
class ActivationCache {
 public:
  ActivationCache(const Network& network, const Calibration& calibration, int64_t memory);

  int64_t batches() const { return static_cast<int64_t>(symbols_.size()); }
  /// Of all ranks, and of those before this one, whose samples come first.
  int64_t samples() const { return all_samples_; }
  int64_t samples_of_ranks_before() const { return samples_before_; }
  int64_t samples(int64_t batch) const { return samples_.at(static_cast<size_t>(batch)); }

  /// Returns the values `wanted` for one batch. What they need from calls before the position is taken from
  /// the cache or recomputed with the current state.
  std::vector<c10::IValue> run(int64_t batch, std::span<const ValueId> wanted);
  /// The same with `tensors` instead of the state, differentiable in them if gradients are enabled.
  std::vector<c10::IValue> run(int64_t batch, std::span<const ValueId> wanted,
                               std::span<const at::Tensor> tensors);

  /// Advances the position: from now on only values of calls from `position` on are requested, and only their
  /// weights change.
  void advance(size_t position);
  /// The same, with the values `wanted` of every batch on the way, as `run` returns them, at the cost of one pass. Calls
  /// `visit` for each batch in order.
  using Visit = std::function<void(int64_t batch, const std::vector<c10::IValue>& values)>;
  void advance(size_t position, std::span<const ValueId> wanted, const Visit& visit);

  /// The state; its tensors may be replaced by others of the same sizes.
  Network network;

 private:
  std::vector<c10::IValue> run_part(const Network& part, int64_t batch, std::span<const at::Tensor> tensors);
  std::vector<ValueId> live_at(size_t position) const;
  /// Those values of calls in [from, to) whose sizes are symbols.
  std::vector<ValueId> symbols_made(size_t from, size_t to) const;
  /// Of weights in a mapped file that only calls in [from, to) use.
  void release_weights(size_t from, size_t to) const;

  const Calibration& calibration_;
  int64_t memory_;
  bool can_hold_;
  size_t position_ = 0;  // of the cached values; 0: the inputs, which are requested again
  std::vector<ValueId> held_values_;
  std::vector<std::vector<c10::IValue>> held_;  // by batch
  std::vector<std::vector<int64_t>> symbols_;   // by batch
  std::vector<int64_t> samples_;                // by batch
  int64_t all_samples_ = 0, samples_before_ = 0;
  Network part_;  // the last one made
  std::vector<ValueId> part_wanted_;
  bool has_part_ = false;
};

}  // namespace inn
