#pragma once
// A network on calibration batches, run piece by piece.

#include <ATen/core/ivalue.h>

#include <cstdint>
#include <numeric>
#include <optional>
#include <span>
#include <vector>

#include "inn/calibration/calibration.h"
#include "inn/network/network.h"

namespace inn {

/// A network and the batches that it runs on.
///
/// Weights are refit from the first call to the last, so what is left of the calls before is held for all
/// batches where it fits into `memory` bytes; else each run starts where it last fitted, at the inputs in the
/// end. The held values never change what a run gives.
class ActivationCache {
 public:
  ActivationCache(const Network& network, const Calibration& calibration, int64_t memory);

  int64_t batches() const { return static_cast<int64_t>(symbols_.size()); }
  int64_t samples() const { return std::accumulate(samples_.begin(), samples_.end(), int64_t{0}); }
  int64_t samples(int64_t batch) const { return samples_.at(static_cast<size_t>(batch)); }

  /// Returns the values that `wanted` names, on one batch. What they need of the calls before the position is
  /// held, or computed again with the present state.
  std::vector<c10::IValue> run(int64_t batch, std::span<const ValueId> wanted);
  /// The same with `tensors` in place of the state, differentiable in them where gradients are on.
  std::vector<c10::IValue> run(int64_t batch, std::span<const ValueId> wanted,
                               std::span<const at::Tensor> tensors);

  /// From now on only values are asked for that calls from `position` on give, and only weights of those
  /// change.
  void advance(size_t position);

  /// The state may be changed: tensors for other ones of the same sizes.
  Network network;

 private:
  std::vector<c10::IValue> run_part(const Network& part, int64_t batch, std::span<const at::Tensor> tensors);
  std::vector<ValueId> live_at(size_t position) const;

  const Calibration& calibration_;
  int64_t memory_;
  bool can_hold_;
  size_t position_ = 0;  // of the values that are held; 0: the inputs, which are asked for anew
  std::vector<ValueId> held_values_;
  std::vector<std::vector<c10::IValue>> held_;  // by batch
  std::vector<std::vector<int64_t>> symbols_;   // by batch
  std::vector<int64_t> samples_;                // by batch
  Network part_;                                // the last one made
  std::vector<ValueId> part_wanted_;
  bool has_part_ = false;
};

}  // namespace inn
