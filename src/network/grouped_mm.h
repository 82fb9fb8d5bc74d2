#pragma once
// Products of rows with the matrices of their experts, wherever torch's kernel does not take them.

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/ivalue.h>

#include <vector>

namespace inn {

/// Runs aten::_grouped_mm on a stack: by torch's kernel on CUDA where rows begin at multiples of 16 bytes in
/// bfloat16, and for the forms other than rows [s, k], experts [e, k, n], offs [e]; else expert by expert, in
/// any floating dtype and for any width. Rows behind the last expert's are zero. Differentiable in rows,
/// experts and bias.
void run_grouped_mm(const c10::OperatorHandle& torchs, std::vector<c10::IValue>& stack);

/// Alignment in bytes of the rows of torch's kernel.
constexpr int64_t kGroupedRowBytes = 16;

}  // namespace inn
