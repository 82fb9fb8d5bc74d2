#pragma once
// Sizes that a model leaves open, as expressions.

#include <functional>
#include <optional>
#include <vector>

#include "inn/network/network.h"

namespace inn::onnx::reading {

/// A size of the inputs that is open, and where it stands first.
struct OpenSize {
  int64_t example = 0;
  size_t input = 0, axis = 0;
  int64_t unit = 1;  // it is a multiple of this, as images are where strides halve them

  int64_t units() const { return example / unit; }
};

/// Returns the network at given open sizes.
using NetworkAt = std::function<Network(const std::vector<int64_t>&)>;

/// Returns the network at the examples, in which every number and every size that depends on the open sizes is an expression in
/// them.
///
/// Numbers are found as polynomials that are linear in the units of each size, from runs at all combinations of two values, and
/// checked by one run at others. Nothing if the networks differ otherwise: in their calls, in a constant tensor, in a size that is not of this
/// form (a stride that rounds).
std::optional<Network> with_open_sizes(const NetworkAt& network_at, const std::vector<OpenSize>& open);

}  // namespace inn::onnx::reading
