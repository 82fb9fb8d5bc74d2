#pragma once
// What a conversion to a floating dtype makes of each dtype.

#include <c10/core/ScalarType.h>

namespace inn {

/// Returns the dtype that a tensor of dtype `of` has in a network that is converted to the floating `dtype`:
/// `dtype` itself for floating tensors, the complex dtype of its precision for complex ones, and `of` for
/// integers and booleans, as torch.nn.Module.to leaves them.
c10::ScalarType converted_dtype(c10::ScalarType of, c10::ScalarType dtype);

}  // namespace inn
