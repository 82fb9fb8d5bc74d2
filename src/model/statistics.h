#pragma once
// Batch norm with statistics that depend on trainable grids.

#include <ATen/core/Tensor.h>

#include <vector>

#include "inn/network/network.h"

namespace inn {

/// Makes the outputs differentiable in running means and variances that require gradients; torch's batch norm
/// is not.
///
/// In evaluation mode w·(x − μ)/√(σ² + ε) + b is written as another batch norm's weight and bias, with mean 0
/// and variance 1, in `tensors`: one for each entry of the state. In training mode, and if weight or bias is
/// missing or shared with other calls, the statistics are detached.
void differentiate_statistics(const Network& network, std::vector<at::Tensor>& tensors);

}  // namespace inn
