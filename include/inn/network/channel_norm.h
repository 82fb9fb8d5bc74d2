#pragma once
// Batch norm in evaluation mode: an affine map of each channel.

#include <ATen/core/Tensor.h>

#include "inn/network/network.h"

namespace inn {

/// y ↦ scale·(y − mean) + shift for each channel: a batch norm in evaluation mode. float64.
struct ChannelNorm {
  at::Tensor scale, mean, shift;

  /// Returns what must come in for `wanted` to come out, along the last axis; `own` where a channel is dead.
  at::Tensor inverse(const at::Tensor& wanted, const at::Tensor& own) const;
};

/// Returns what the batch norm that call `index` is does to each channel.
ChannelNorm channel_norm(const Network& network, size_t index);

}  // namespace inn
