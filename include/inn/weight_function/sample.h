#pragma once
// Sampling a tensor along several axes.

#include <ATen/core/Tensor.h>

#include <span>

#include "inn/axis_map/axis_map.h"

namespace inn {

/// Returns `tensor` with every map applied to its axis: F(x_1, x_2, …) for a separable function, axis by
/// axis.
///
/// Axes are processed such that intermediate results are smallest (rows/cols ascending); maps on the same
/// axis keep their order. The order affects the result only by rounding. Without maps, or with identities
/// only, it is `tensor` itself. Differentiable in the tensor and in the maps' weights. Throws
/// std::invalid_argument, as AxisMap::apply does, for an axis or width that the tensor does not have.
at::Tensor sample_tensor(const at::Tensor& tensor, std::span<const MappedAxis> maps);

}  // namespace inn
