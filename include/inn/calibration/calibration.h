#pragma once
// What is measured of a network on data: activations of its groups, gradients of its parameters.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "inn/dimension/groups.h"
#include "inn/network/network.h"

namespace inn {

/// What a network takes at once, and the labels that a loss needs.
struct CalibrationBatch {
  std::vector<c10::IValue> inputs;
  at::Tensor labels = {};
};

/// Data to measure on, and what is minimized.
struct Calibration {
  /// Returns batch `index`, from 0, or nothing after the last. Asked anew for every measurement.
  std::function<std::optional<CalibrationBatch>(int64_t index)> batch = nullptr;
  /// Returns the loss of each sample, [B], differentiable in the outputs; a loss of no axis counts as one
  /// sample. Needed for gradients only.
  std::function<at::Tensor(const std::vector<c10::IValue>& outputs, const CalibrationBatch& batch)> loss =
      nullptr;
};

/// What an importance needs besides the weights.
enum class Measured {
  nothing,
  activations,
  gradients,          // of the mean loss
  squared_gradients,  // of each sample's loss
};

/// The channels of a group as one call gives them, over all samples and positions. float64, [width].
struct ActivationStatistics {
  ValueId value;
  at::Tensor mean_magnitude;  // mean |a|
  at::Tensor mean_square;     // mean a²
};

/// What was measured. Tensors stand by the index of the state; they are undefined where it is no parameter of
/// a measured group.
struct Measurements {
  std::map<GroupId, std::vector<ActivationStatistics>> activations = {};
  std::vector<at::Tensor> gradients = {};          // d(mean loss)/dw
  std::vector<at::Tensor> squared_gradients = {};  // mean over samples of (d loss/dw)²
};

/// Runs the network in evaluation mode on every batch, and returns what `what` names of `groups`.
///
/// Activations are those of the producers' outputs: results of calls that read a tensor which produces the
/// group (or what is computed of it alone, a transposed weight) together with what depends on the inputs.
/// Squared gradients cost one backward pass a sample, over its whole batch: small batches are cheaper there.
/// The network is not changed. Throws std::invalid_argument where batches or a needed loss are missing, where
/// there is no batch, and where the loss has more than one axis.
Measurements measure(const AnalysedNetwork& source, const std::vector<GroupId>& groups,
                     const Calibration& calibration, Measured what);

}  // namespace inn
