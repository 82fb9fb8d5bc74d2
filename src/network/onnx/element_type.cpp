#include <ATen/ATen.h>

#include <array>
#include <utility>

#include "inn/core/error.h"
#include "model.h"

namespace inn::onnx {
namespace {

constexpr std::array<std::pair<c10::ScalarType, int32_t>, 10> kTypes = {{{at::kFloat, 1},
                                                                         {at::kByte, 2},
                                                                         {at::kChar, 3},
                                                                         {at::kShort, 5},
                                                                         {at::kInt, 6},
                                                                         {at::kLong, 7},
                                                                         {at::kBool, 9},
                                                                         {at::kHalf, 10},
                                                                         {at::kDouble, 11},
                                                                         {at::kBFloat16, 16}}};

}  // namespace

int32_t element_type(c10::ScalarType type) {
  for (const auto& [ours, theirs] : kTypes)
    if (ours == type) return theirs;
  raise("network", "ONNX: tensors of type {} are not supported.", c10::toString(type));
}

c10::ScalarType scalar_type(int64_t element_type) {
  for (const auto& [ours, theirs] : kTypes)
    if (theirs == element_type) return ours;
  constexpr std::array<const char*, 24> kNames = {
      "undefined",      "float",      "uint8",          "int8",       "uint16",   "int16",
      "int32",          "int64",      "string",         "bool",       "float16",  "double",
      "uint32",         "uint64",     "complex64",      "complex128", "bfloat16", "float8e4m3fn",
      "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4",      "int4",     "float4e2m1"};
  const bool is_named = element_type >= 0 && element_type < static_cast<int64_t>(kNames.size());
  raise("network", "ONNX: tensors of type {} are not supported.",
        is_named ? kNames[static_cast<size_t>(element_type)] : std::to_string(element_type));
}

}  // namespace inn::onnx
