#pragma once
// Adds tensors of quadrature weights for sums without a suitable parameter.

#include <functional>

#include "inn/dimension/groups.h"

namespace inn {

/// Returns the network with a buffer of ones for each sum of Groups::unweighted that `is_chosen`: the operand
/// is multiplied by it (a norm's by its root, a softmax's logits get its logarithm added), so outputs are
/// unchanged, exactly. The buffer is a consumer of the sum's groups, so at another width it holds the
/// quadrature that the sum lacked.
///
/// Ids of groups and indices of the state stay; the buffers are appended to the state and named after the
/// module that sums ("attention.quadrature"); Groups::notes describes each. Groups::unweighted no longer has
/// the sums that got a buffer.
AnalysedNetwork add_quadrature_buffers(AnalysedNetwork source,
                                       const std::function<bool(const UnweightedSum&)>& is_chosen);

}  // namespace inn
