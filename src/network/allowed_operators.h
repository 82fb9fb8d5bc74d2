#pragma once
// The operators that a file may call: those that only compute. None opens, writes or loads a file, communicates
// with another process, or prints.

#include <ATen/core/function_schema.h>

#include <string>

#include "inn/network/network.h"

namespace inn {

/// Returns why a file may not call the operator, "" where it may.
///
/// An operator is allowed if by its schema it takes and returns only tensors, numbers, flags, dtypes, devices
/// and lists of them; if it returns a result or writes an argument; and if each string argument is a known one
/// by its name (`equation`, `mode`, `rounding_mode`, …). Torch's operators outside aten and prims are not
/// allowed. An argument of another type (Generator, Storage, Stream, a class) is allowed if `is_none` returns
/// that it is None.
std::string refusal_of(const c10::FunctionSchema& schema, const std::function<bool(size_t)>& is_none);

/// Returns why a file may not make the call, "" if it may: because of the operator, or of a string that is not
/// allowed for its argument.
std::string refusal_of(const Call& call, const c10::FunctionSchema& schema);

}  // namespace inn
