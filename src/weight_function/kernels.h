#pragma once
// The maps of the kernels in the table, each for at least its entry's minimum number of control points.

#include "inn/weight_function/interpolation_kernel.h"

namespace inn::kernels {

AxisMap nearest(int64_t n, const InterpolationKernel::Place& place);
AxisMap linear(int64_t n, const InterpolationKernel::Place& place);
AxisMap cubic(int64_t n, const InterpolationKernel::Place& place);
AxisMap bspline(int64_t n, const InterpolationKernel::Place& place);

}  // namespace inn::kernels
