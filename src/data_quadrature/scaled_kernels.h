#pragma once
// Consumers' kernels, scaled for the selection of nodes.

#include <cstdint>
#include <vector>

#include "inn/data_quadrature/nodes.h"

namespace inn {

struct ScaledKernel {
  at::Tensor kernel, gram;  // with ridge; scaled such that trace(M·K) is the consumer's weight
  int64_t block;            // features per channel
};

/// Returns the kernels with `ridge` and scaled Gram matrices; identities if `plain_gram`. Throws
/// std::invalid_argument for kernels of different sizes, and if there are none.
std::vector<ScaledKernel> scaled_kernels(const std::vector<ConsumerKernel>& consumers, double ridge,
                                         bool plain_gram);

/// Returns the residual kernel given the nodes (at least one) with all their features.
at::Tensor kernel_left(const ScaledKernel& scaled, const std::vector<int64_t>& nodes);

/// Returns Σ tr(M·R) with R the residual kernels: the node_error.
double error_left(const std::vector<ScaledKernel>& consumers, const std::vector<int64_t>& nodes);

}  // namespace inn
