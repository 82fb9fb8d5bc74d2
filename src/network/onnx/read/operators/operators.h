#pragma once
// The operators by family, and what they share.

#include <ATen/ATen.h>

#include <vector>

#include "../interpreter.h"

namespace inn::onnx::reading {

void add_arithmetic(Operators& operators);
void add_activations(Operators& operators);
void add_attention(Operators& operators);
void add_convolutions(Operators& operators);
void add_normalizations(Operators& operators);
void add_products(Operators& operators);
void add_recurrent(Operators& operators);
void add_reductions(Operators& operators);
void add_resize(Operators& operators);
void add_indexing(Operators& operators);
void add_shapes(Operators& operators);

using Tensors = std::vector<at::Tensor>;

/// The windows of a convolution or a pooling over the axes after the second.
struct Windows {
  std::vector<int64_t> kernel, strides, dilations, begin, end;  // paddings at both ends
  bool is_symmetric() const { return begin == end; }
};
/// Of attributes 'kernel_shape' (or `kernel`), 'strides', 'dilations', 'pads' and 'auto_pad', for an input of these sizes.
Windows windows_of(const NodeView& node, at::IntArrayRef sizes, std::vector<int64_t> kernel = {});
/// The input padded with a number at both ends, where the paddings differ.
at::Tensor padded(const at::Tensor& input, const Windows& windows, double value);

/// The axes of a reduction, a squeeze, …: an attribute or, of later opsets, an input.
std::vector<int64_t> axes_of(NodeView& node, size_t input);

}  // namespace inn::onnx::reading
