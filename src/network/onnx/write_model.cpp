#include "model.h"

#include <ATen/ATen.h>

#include <optional>
#include <ostream>
#include <protozero/pbf_writer.hpp>

#include "inn/core/error.h"
#include "wire_format.h"

namespace inn::onnx {
namespace {

using protozero::pbf_writer;

constexpr int64_t kIrVersion = 10;
constexpr int64_t kLeastExternal = 1024;      // bytes
constexpr int64_t kExternalAlignment = 4096;  // so that files can be mapped

void write_value(pbf_writer& graph, Tag field, const ValueInfo& value) {
  using namespace value_field;
  pbf_writer writer(graph, field);
  writer.add_string(kName, value.name);
  pbf_writer type(writer, kType);
  pbf_writer tensor(type, kTensorType);
  tensor.add_int32(kElementType, element_type(value.type));
  if (value.sizes.empty())
    return tensor.add_message(kShape, std::string());  // protozero drops a message without fields
  pbf_writer shape(tensor, kShape);
  for (const auto& size : value.sizes) {
    pbf_writer dimension(shape, kDim);
    if (const auto* number = std::get_if<int64_t>(&size))
      dimension.add_int64(kDimValue, *number);
    else  // also an empty one: protozero drops messages without fields
      dimension.add_string(kDimParam, std::get<std::string>(size));
  }
}

/// Where weights outside the model stand.
class ExternalFile {
 public:
  ExternalFile(std::ostream& stream, std::string name) : stream_(stream), name_(std::move(name)) {}

  void write(pbf_writer& tensor, const char* bytes, int64_t count) {
    const int64_t padding = (kExternalAlignment - offset_ % kExternalAlignment) % kExternalAlignment;
    stream_ << std::string(static_cast<size_t>(padding), '\0');
    offset_ += padding;
    for (const auto& [key, value] : {std::pair<std::string, std::string>{"location", name_},
                                     {"offset", std::to_string(offset_)},
                                     {"length", std::to_string(count)}}) {
      pbf_writer entry(tensor, tensor_field::kExternalData);
      entry.add_string(1, key);
      entry.add_string(2, value);
    }
    tensor.add_enum(tensor_field::kDataLocation, tensor_field::kExternal);
    stream_.write(bytes, count);
    offset_ += count;
  }

 private:
  std::ostream& stream_;
  std::string name_;
  int64_t offset_ = 0;
};

void write_tensor(pbf_writer& parent, Tag field, const std::string& name, const at::Tensor& given,
                  ExternalFile* external) {
  using namespace tensor_field;
  const at::Tensor tensor = given.detach().cpu().contiguous();
  pbf_writer writer(parent, field);
  for (const auto size : tensor.sizes()) writer.add_int64(kDims, size);
  writer.add_int32(kDataType, element_type(tensor.scalar_type()));
  writer.add_string(kName, name);
  const auto* bytes = static_cast<const char*>(tensor.const_data_ptr());
  const auto count = static_cast<int64_t>(tensor.nbytes());
  if (external != nullptr && count >= kLeastExternal)
    external->write(writer, bytes, count);
  else
    writer.add_bytes(kRawData, bytes, static_cast<size_t>(count));
}

void write_attribute(pbf_writer& node, const Attribute& attribute) {
  using namespace attribute_field;
  pbf_writer writer(node, node_field::kAttribute);
  writer.add_string(kName, attribute.name);
  if (const auto* number = std::get_if<int64_t>(&attribute.value)) {
    writer.add_int64(kInt, *number);
    writer.add_enum(kType, int_type);
  } else if (const auto* real = std::get_if<double>(&attribute.value)) {
    writer.add_float(kFloat, static_cast<float>(*real));
    writer.add_enum(kType, float_type);
  } else if (const auto* text = std::get_if<std::string>(&attribute.value)) {
    writer.add_bytes(kString, *text);
    writer.add_enum(kType, string_type);
  } else if (const auto* numbers = std::get_if<std::vector<int64_t>>(&attribute.value)) {
    for (const auto each : *numbers) writer.add_int64(kInts, each);
    writer.add_enum(kType, ints_type);
  } else if (const auto* reals = std::get_if<std::vector<double>>(&attribute.value)) {
    for (const auto each : *reals) writer.add_float(kFloats, static_cast<float>(each));
    writer.add_enum(kType, floats_type);
  } else if (const auto* tensor = std::get_if<at::Tensor>(&attribute.value)) {
    write_tensor(writer, kTensor, "", *tensor, nullptr);
    writer.add_enum(kType, tensor_type);
  } else {
    raise("network", "ONNX: attribute '{}' is of a type that is only read.", attribute.name);
  }
}

void write_node(pbf_writer& graph, const Node& node) {
  using namespace node_field;
  pbf_writer writer(graph, graph_field::kNode);
  for (const auto& input : node.inputs) writer.add_string(kInput, input);
  for (const auto& output : node.outputs) writer.add_string(kOutput, output);
  if (!node.name.empty()) writer.add_string(kName, node.name);
  writer.add_string(kOpType, node.op);
  for (const auto& attribute : node.attributes) write_attribute(writer, attribute);
}

}  // namespace

void write_model(const Model& model, std::ostream& stream, std::ostream* weights,
                 const std::string& weights_name) {
  std::optional<ExternalFile> external;
  if (weights != nullptr) external.emplace(*weights, weights_name);
  std::string graph_bytes;
  {
    pbf_writer graph(graph_bytes);
    graph.add_string(graph_field::kName, "main");
    for (const auto& node : model.nodes) write_node(graph, node);
    for (const auto& [name, tensor] : model.initializers)
      write_tensor(graph, graph_field::kInitializer, name, tensor, external ? &*external : nullptr);
    for (const auto& input : model.inputs) write_value(graph, graph_field::kInput, input);
    for (const auto& output : model.outputs) write_value(graph, graph_field::kOutput, output);
  }
  std::string bytes;
  pbf_writer writer(bytes);
  writer.add_int64(model_field::kIrVersion, kIrVersion);
  writer.add_string(model_field::kProducerName, "inn");
  {
    pbf_writer opset(writer, model_field::kOpsetImport);
    opset.add_string(opset_field::kDomain, "");
    opset.add_int64(opset_field::kVersion, model.opset);
  }
  // The graph may be large: only its tag and length are joined to it, as add_message would.
  constexpr uint32_t kLengthDelimited = 2;
  protozero::write_varint(std::back_inserter(bytes), model_field::kGraph << 3 | kLengthDelimited);
  protozero::write_varint(std::back_inserter(bytes), graph_bytes.size());
  stream << bytes << graph_bytes;
}

}  // namespace inn::onnx
