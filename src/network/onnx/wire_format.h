#pragma once
// The numbers of the fields of onnx.proto (IR version 10), by message.

#include <cstdint>
#include <protozero/types.hpp>

namespace inn::onnx {

using Tag = protozero::pbf_tag_type;

namespace model_field {
constexpr Tag kIrVersion = 1, kProducerName = 2, kGraph = 7, kOpsetImport = 8, kFunctions = 25;
}
namespace opset_field {
constexpr Tag kDomain = 1, kVersion = 2;
}
namespace graph_field {
constexpr Tag kNode = 1, kName = 2, kInitializer = 5, kInput = 11, kOutput = 12, kSparseInitializer = 15;
}
namespace node_field {
constexpr Tag kInput = 1, kOutput = 2, kName = 3, kOpType = 4, kAttribute = 5, kDomain = 7;
}
namespace attribute_field {
constexpr Tag kName = 1, kFloat = 2, kInt = 3, kString = 4, kTensor = 5, kGraph = 6, kFloats = 7, kInts = 8,
              kStrings = 9, kType = 20;
enum Type : int32_t {
  undefined_type = 0,
  float_type = 1,
  int_type = 2,
  string_type = 3,
  tensor_type = 4,
  graph_type = 5,
  floats_type = 6,
  ints_type = 7,
  strings_type = 8
};
}  // namespace attribute_field
namespace tensor_field {
constexpr Tag kDims = 1, kDataType = 2, kFloatData = 4, kInt32Data = 5, kStringData = 6, kInt64Data = 7,
              kName = 8, kRawData = 9, kDoubleData = 10, kUint64Data = 11, kExternalData = 13,
              kDataLocation = 14;
constexpr int32_t kExternal = 1;
}  // namespace tensor_field
namespace value_field {
constexpr Tag kName = 1, kType = 2;
constexpr Tag kTensorType = 1;               // of TypeProto
constexpr Tag kElementType = 1, kShape = 2;  // of TypeProto.Tensor
constexpr Tag kDim = 1;                      // of TensorShapeProto
constexpr Tag kDimValue = 1, kDimParam = 2;  // of its Dimension
}  // namespace value_field

}  // namespace inn::onnx
