#pragma once
// Which layers are refit, and to what.

#include <optional>
#include <string>
#include <vector>

#include "inn/resampling/maps.h"
#include "resampling/refit/linear_call.h"

namespace inn {

/// One layer's fit.
struct Fit {
  LinearCall linear;
  /// A batch norm in evaluation mode that alone reads the output: an affine map of each channel.
  std::optional<size_t> norm;
  /// Where the output (of the norm) is read by nothing but one sum: that sum, and its other summand, which is
  /// computed without anything that is fit later.
  struct Residual {
    ValueId sum, partner;
  };
  std::optional<Residual> residual;
  AxisMap outputs;  // of the source's output channels
};

/// A layer that is touched but can't be fit.
struct Kept {
  std::string layer, reason;
};

/// A layer whose outputs were cut and the layer that reads nothing else of the network: fit together, since
/// what the first gives is only seen through the second.
struct Block {
  Fit first, second;
  ValueId output;    // that of the second, of its norm, or the sum that it ends in
  bool before_relu;  // nothing but a ReLU reads the output
};

struct FitPlan {
  std::vector<Fit> fits;      // in network order
  std::vector<Block> blocks;  // by their second layers, in network order
  std::vector<Kept> kept;
};

/// Looks at `network` (source or resampled: the calls are alike) under `maps`. `only_readers`: layers whose
/// own input axis is mapped, and no others.
FitPlan plan_fits(const Network& network, const Groups& groups, const std::map<GroupId, GroupMaps>& maps,
                  bool only_readers = false);

}  // namespace inn
