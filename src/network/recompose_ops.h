#pragma once
// Recomposes decomposed operators into those that users call.

#include "inn/network/network.h"

namespace inn {

/// Replaces `_convolution` (TorchScript) by `conv2d`, `conv_transpose2d.input` and similar operators, and
/// `addmm` or `matmul` with a transposed weight (the C++ Linear) by `linear`, with a vector of the state that is added to its result as its
/// bias. The results are the same; fewer rules are required.
void recompose_ops(Network& network);

}  // namespace inn
