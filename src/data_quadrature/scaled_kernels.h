#pragma once
// Consumers' kernels as the choice of nodes compares them.

#include <cstdint>
#include <vector>

#include "inn/data_quadrature/nodes.h"

namespace inn {

struct ScaledKernel {
  at::Tensor kernel, gram;  // with the ridge; with trace(M·K) = 1
  int64_t block;            // features of a channel
};

/// Returns the kernels with `ridge`, and Gram matrices of one weight each; identities if `plain_gram`. Throws
/// std::invalid_argument for kernels of different sizes, and if there are none.
std::vector<ScaledKernel> scaled_kernels(const std::vector<ConsumerKernel>& consumers, double ridge,
                                         bool plain_gram);

/// Returns what is left of a kernel where the nodes, at least one, are known with all their features.
at::Tensor kernel_left(const ScaledKernel& scaled, const std::vector<int64_t>& nodes);

/// Returns Σ tr(M·R), R what is left of each kernel: what node_error says.
double error_left(const std::vector<ScaledKernel>& consumers, const std::vector<int64_t>& nodes);

}  // namespace inn
