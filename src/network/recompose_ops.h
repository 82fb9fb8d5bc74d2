#pragma once
// The operators that users call, in place of what traced programs do instead.

#include "inn/network/network.h"

namespace inn {

/// Replaces `_convolution` (TorchScript) by `conv2d`, `conv_transpose2d.input` and their kin, and `addmm` or
/// `matmul` with a transposed weight (the C++ Linear) by `linear`. The results are the same; there are fewer
/// rules to know.
void recompose_ops(Network& network);

}  // namespace inn
