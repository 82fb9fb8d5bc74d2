#include "codes.h"

#include <utility>

#include "failure.h"

namespace inn::pt2 {
namespace {

using c10::MemoryFormat;
using c10::ScalarType;

// torch/_export/serde/schema.py: ScalarType, MemoryFormat, Layout.
constexpr std::pair<int64_t, ScalarType> kDtypes[] = {
    {1, ScalarType::Byte},          {2, ScalarType::Char},           {3, ScalarType::Short},
    {4, ScalarType::Int},           {5, ScalarType::Long},           {6, ScalarType::Half},
    {7, ScalarType::Float},         {8, ScalarType::Double},         {9, ScalarType::ComplexHalf},
    {10, ScalarType::ComplexFloat}, {11, ScalarType::ComplexDouble}, {12, ScalarType::Bool},
    {13, ScalarType::BFloat16},     {28, ScalarType::UInt16},        {29, ScalarType::Float8_e4m3fn},
    {30, ScalarType::Float8_e5m2},  {34, ScalarType::UInt32},        {35, ScalarType::UInt64}};
constexpr std::pair<int64_t, MemoryFormat> kMemoryFormats[] = {{1, MemoryFormat::Contiguous},
                                                               {2, MemoryFormat::ChannelsLast},
                                                               {3, MemoryFormat::ChannelsLast3d},
                                                               {4, MemoryFormat::Preserve}};
constexpr int64_t kStrided = 7;

template <class Table>
auto from_code(const Table& table, int64_t code, const char* what) {
  for (const auto& [number, meaning] : table)
    if (number == code) return meaning;
  refuse("unknown {} {}", what, code);
}

template <class Table, class Meaning>
int64_t to_code(const Table& table, Meaning wanted, const char* what) {
  for (const auto& [number, meaning] : table)
    if (meaning == wanted) return number;
  refuse("{} {} has no code in an archive", what, static_cast<int>(wanted));
}

}  // namespace

ScalarType dtype_from_code(int64_t code) { return from_code(kDtypes, code, "dtype"); }
int64_t code_of(ScalarType dtype) { return to_code(kDtypes, dtype, "dtype"); }

MemoryFormat memory_format_from_code(int64_t code) {
  return from_code(kMemoryFormats, code, "memory format");
}
int64_t code_of(MemoryFormat format) { return to_code(kMemoryFormats, format, "memory format"); }

c10::Layout layout_from_code(int64_t code) {
  if (code != kStrided) refuse("layout {} is not supported, only strided tensors are", code);
  return c10::kStrided;
}

int64_t code_of(c10::Layout layout) {
  if (layout != c10::kStrided) refuse("only strided tensors are supported");
  return kStrided;
}

c10::Device device_from_json(const Json& device) {
  return text(member(device, "type")) == "meta" ? c10::Device(c10::kMeta) : c10::Device(c10::kCPU);
}

Json to_json(c10::Device device) {
  Json index = device.has_index() ? Json(device.index()) : Json(nullptr);
  return {{"type", c10::DeviceTypeName(device.type(), true)}, {"index", index}};
}

}  // namespace inn::pt2
