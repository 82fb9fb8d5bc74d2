#pragma once
// The operators that a file may call: those that compute. None opens, writes or loads a file, speaks to another
// process, or prints.

#include <ATen/core/function_schema.h>

#include <string>

#include "inn/network/network.h"

namespace inn {

/// Returns why a file may not call the operator, "" where it may.
///
/// It may where its schema says that it makes data of data: tensors, numbers, flags, dtypes, devices, lists
/// of them; where it gives a result or writes an argument; and where a text that it takes is known by the
/// argument's name (`equation`, `mode`, `rounding_mode`, …). Torch's operators outside aten and prims may
/// not. A place of another type (Generator, Storage, Stream, a class) may be there if `is_none` says that it
/// holds None.
std::string refusal_of(const c10::FunctionSchema& schema, const std::function<bool(size_t)>& is_none);

/// Returns why a file may not make the call, "" where it may: of the operator, or of a text that is none of
/// those that its argument takes.
std::string refusal_of(const Call& call, const c10::FunctionSchema& schema);

}  // namespace inn
