#pragma once
// Making the batch of a static network dynamic.

#include "inn/network/network.h"

namespace inn {

/// Returns the network with formulas in a batch symbol for every size that follows axis 0 of the inputs.
///
/// They are found by running it (on zeros, without gradients) at three batch sizes: each size must be affine
/// in the batch. A network whose inputs are dynamic along axis 0 already is returned as it is. Throws
/// std::invalid_argument where the network does not run at another batch size, naming the call.
Network with_dynamic_batch(const Network& network);

}  // namespace inn
