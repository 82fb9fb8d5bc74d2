#pragma once
// Conversion of dtypes to a floating-point dtype.

#include <c10/core/ScalarType.h>

namespace inn {

/// Returns the dtype of a tensor of dtype `of` after converting a network to the floating-point `dtype`:
/// `dtype` for floating-point tensors, the complex dtype of its precision for complex ones, and `of` for
/// integers and booleans, as torch.nn.Module.to leaves them.
c10::ScalarType converted_dtype(c10::ScalarType of, c10::ScalarType dtype);

}  // namespace inn
