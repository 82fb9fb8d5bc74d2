#pragma once
// Batch norm: folding into the preceding layer, and recalibration of its statistics.

#include <ATen/core/Tensor.h>

#include <functional>
#include <optional>

#include "inn/network/network.h"

namespace inn {

/// Returns the network with every batch norm that directly follows a convolution or a linear layer folded
/// into it. Outputs in evaluation mode are equal up to rounding. Results with other consumers and weights
/// shared by several calls are left unfolded.
Network fold_batch_norm(const Network& network);

/// Replaces the running statistics of every batch norm by the mean and variance over all batches that
/// `next_batch` returns until it returns nothing. No labels needed. Other state is unchanged. Throws if there
/// is no batch.
void recalibrate_batch_norm(Network& network, const std::function<std::optional<at::Tensor>()>& next_batch);

}  // namespace inn
