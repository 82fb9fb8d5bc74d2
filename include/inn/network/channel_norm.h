#pragma once
// Batch norm in evaluation mode, as an affine map of each channel.

#include <ATen/core/Tensor.h>

#include "inn/network/network.h"

namespace inn {

/// y ↦ scale·(y − mean) + shift for each channel: a batch norm in evaluation mode. float64.
struct ChannelNorm {
  at::Tensor scale, mean, shift;

  /// Returns the input that gives the output `wanted`, along the last axis; `own` for dead channels.
  at::Tensor inverse(const at::Tensor& wanted, const at::Tensor& own) const;
};

/// Returns the affine map of the batch norm at call `index`.
ChannelNorm channel_norm(const Network& network, size_t index);

}  // namespace inn
