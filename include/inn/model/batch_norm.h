#pragma once
// Batch norm: folding into the preceding layer, and recalibration of its statistics.

#include <ATen/core/ivalue.h>

#include <functional>
#include <optional>
#include <vector>

#include "inn/network/network.h"

namespace inn {

/// Returns the network with every batch norm that directly follows a convolution or a linear layer folded
/// into it. Outputs in evaluation mode are equal up to rounding. Results with other consumers and weights
/// shared by several calls are left unfolded.
Network fold_batch_norm(const Network& network);

/// Replaces the running statistics of every batch norm by the mean and the unbiased variance over all batches
/// (inputs of the network) that `next_batch` returns until it returns nothing, as if they were concatenated, whatever their sizes.
/// Each batch passes the norms in training mode, so later layers see it normalized by its own statistics. No
/// labels needed. Other state is unchanged.
///
/// Throws std::invalid_argument, without changing the network, if running statistics cannot be measured
/// (naming the call: an instance norm, or a norm whose saved statistics are used), if there is no batch, or
/// if a channel has only one value.
void recalibrate_batch_norm(Network& network,
                            const std::function<std::optional<std::vector<c10::IValue>>()>& next_batch);

}  // namespace inn
