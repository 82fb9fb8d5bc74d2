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

/// Replaces the running statistics of every batch norm by the mean and the unbiased variance of all numbers
/// that it sees in the batches that `next_batch` returns until it returns nothing: those of the batches
/// concatenated, however long each of them is. Each batch goes through the norms in training mode, so what is
/// behind a norm sees it normalized by its batch. No labels needed. The network's other state is untouched.
///
/// Throws std::invalid_argument, naming the call, where running statistics can't be measured (an instance
/// norm's; a norm whose saved statistics are read); where there is no batch, or one number of a channel alone.
/// The network is unchanged then.
void recalibrate_batch_norm(Network& network, const std::function<std::optional<at::Tensor>()>& next_batch);

}  // namespace inn
