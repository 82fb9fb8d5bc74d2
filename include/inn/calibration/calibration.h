#pragma once
// Measuring a network on data: activations of its groups, gradients of its parameters.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "inn/dimension/consumers.h"
#include "inn/dimension/groups.h"
#include "inn/network/network.h"

namespace inn {

/// The inputs of one run, and the labels for a loss.
struct CalibrationBatch {
  std::vector<c10::IValue> inputs;
  at::Tensor labels = {};
};

/// Calibration data and an optional loss.
struct Calibration {
  /// Returns batch `index`, from 0, or nothing after the last. Called again for every measurement.
  std::function<std::optional<CalibrationBatch>(int64_t index)> batch = nullptr;
  /// Returns the loss of each sample, [B], differentiable in the outputs; a scalar (0-d) loss counts as one
  /// sample. Only required for gradients.
  std::function<at::Tensor(const std::vector<c10::IValue>& outputs, const CalibrationBatch& batch)> loss =
      nullptr;
};

/// What an importance requires besides the weights.
enum class Measured {
  nothing,
  activations,        // outputs of the producers, inputs of the consumers
  gradients,          // of the mean loss
  squared_gradients,  // of each sample's loss
};

/// Statistics of a group's channels in one value, over all samples and positions. float64, [width].
struct ActivationStatistics {
  ValueId value;
  at::Tensor mean;            // mean a
  at::Tensor mean_magnitude;  // mean |a|
  at::Tensor mean_square;     // mean a²
};

/// What a consumer reads, and the tensors that it multiplies it with.
struct ConsumedStatistics {
  ActivationStatistics input;
  std::vector<Member> weights;
};

/// Measurements. Gradients are indexed like the state and undefined for tensors that are not parameters of a
/// measured group.
struct Measurements {
  std::map<GroupId, std::vector<ActivationStatistics>> activations = {};  // of the producers' outputs
  std::map<GroupId, std::vector<ConsumedStatistics>> consumed = {};       // of consumers that have weights
  std::vector<at::Tensor> gradients = {};                                 // d(mean loss)/dw
  std::vector<at::Tensor> squared_gradients = {};  // mean over samples of (d loss/dw)²
};

/// Runs the network in evaluation mode on every batch and returns the measurement `what` for `groups`.
///
/// Activations are the outputs of the producers: results of calls that combine a producing tensor (or
/// something computed only from it, such as a transposed weight) with something that depends on the inputs.
/// Squared gradients cost one backward pass per sample over its whole batch, so small batches are cheaper.
/// The network is not changed. Throws std::invalid_argument if batches or a required loss are missing, if
/// there is no batch, or if the loss has more than one axis.
Measurements measure_groups(const AnalysedNetwork& source, const std::vector<GroupId>& groups,
                            const Calibration& calibration, Measured what);

}  // namespace inn
