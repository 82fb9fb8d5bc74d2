#pragma once
// Makes the batch size of a static network dynamic.

#include "inn/network/network.h"

namespace inn {

/// Returns the network with expressions in a batch symbol for every size that depends on axis 0 of the
/// inputs.
///
/// They are determined by running it (on zeros, without gradients) at three batch sizes; each size must be
/// affine in the batch. A network whose inputs are already dynamic along axis 0 is returned unchanged. Throws
/// std::invalid_argument naming the call if the network does not run at another batch size.
Network with_dynamic_batch(const Network& network);

}  // namespace inn
