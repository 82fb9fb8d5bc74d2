#pragma once
// Plan of the refits: layers and their targets.

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <vector>

#include "inn/network/linear_call.h"
#include "inn/resampling/maps.h"

namespace inn {

/// The fit of one layer.
struct Fit {
  LinearCall linear;
  /// A batch norm in evaluation mode that is the only consumer of the output: an affine map of each channel.
  struct Norm {
    size_t call, mean;            // `mean`: the running mean, in Network::state
    std::optional<size_t> shift;  // in Network::state
  };
  std::optional<Norm> norm;
  /// If the output (of the norm) is used only by one sum: that sum and its other summand, which does not
  /// depend on later fits.
  struct Residual {
    ValueId sum, partner;
    ValueId
        target;  // the source's value that the sum is to equal: `sum`, or another where blocks were bypassed
  };
  std::optional<Residual> residual;
  AxisMap outputs;      // of the source's output channels
  bool is_cut = false;  // in its inputs; else only their values changed
};

/// An affected layer that cannot be fit.
struct Kept {
  std::string layer, reason;
};

/// A target value: that of the source network, under the map of one of its axes (none: unchanged).
struct Target {
  ValueId value;
  std::optional<AxisMap> map;
  int64_t axis;      // of channels: 1 of images, else −1
  bool before_relu;  // used only by a ReLU
  double weight = 1;

  /// What the resampled network is to give for the source's value.
  at::Tensor wanted(const at::Tensor& source) const { return map ? map->apply(source, axis) : source; }
  /// What is compared of a value: what the ReLU behind it lets pass.
  at::Tensor seen(const at::Tensor& tensor) const { return before_relu ? tensor.clamp_min(0) : tensor; }
};

/// Layers that are fit jointly.
struct JointFit {
  std::vector<Fit> layers;  // in network order
  std::vector<Target> targets;
};

struct FitPlan {
  std::vector<Fit> fits;  // in network order
  /// Each layer whose outputs were cut, where all that depends on them goes through one other layer: with
  /// that one, and through depthwise convolutions to the layer behind them, by which they are ordered, towards
  /// its output (that of its norm, or the sum that it ends in). One for each layer behind.
  std::vector<JointFit> blocks;
  /// All affected layers, towards the network's outputs and those of the blocks.
  JointFit whole;
  std::vector<Kept> skipped;
};

/// Looks at `network` (source or resampled: the calls are alike, some may be unread) under `maps`. `only_readers`: layers
/// whose own input axis is mapped, and no others. `moved`: values that are to become others than in the source, and the
/// sums that make them, with what they are to become (RefitOptions::targets).
FitPlan plan_fits(const Network& network, const Groups& groups, const std::map<GroupId, GroupMaps>& maps,
                  bool only_readers = false, const std::map<ValueId, ValueId>& moved = {});

}  // namespace inn
