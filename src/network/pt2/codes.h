#pragma once
// The archive's codes for dtypes, layouts and memory formats.

#include <c10/core/Device.h>
#include <c10/core/Layout.h>
#include <c10/core/MemoryFormat.h>
#include <c10/core/ScalarType.h>

#include "json.h"

namespace inn::pt2 {

c10::ScalarType dtype_from_code(int64_t code);
int64_t code_of(c10::ScalarType dtype);

c10::MemoryFormat memory_format_from_code(int64_t code);
int64_t code_of(c10::MemoryFormat format);

/// Only strided tensors are read. Throws std::invalid_argument for others.
c10::Layout layout_from_code(int64_t code);
int64_t code_of(c10::Layout layout);

/// A network is read to the CPU, so every device but "meta" is the CPU.
c10::Device device_from_json(const Json& device);
Json to_json(c10::Device device);

}  // namespace inn::pt2
