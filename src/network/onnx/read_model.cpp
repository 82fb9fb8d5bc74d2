#include <ATen/ATen.h>

#include <map>
#include <protozero/pbf_reader.hpp>

#include "inn/core/checked_integer.h"
#include "inn/core/error.h"
#include "inn/core/failure.h"
#include "inn/core/mapped_file.h"
#include "model.h"
#include "wire_format.h"

namespace inn::onnx {
namespace {

using protozero::data_view;
using protozero::pbf_reader;
using Wire = protozero::pbf_wire_type;

constexpr int kDeepestGraph = 16;  // of branches within branches
constexpr size_t kMostAxes = 64;

/// The field's content; protozero itself checks its kind in debug builds alone.
pbf_reader& expected(pbf_reader& reader, Wire type) {
  if (reader.wire_type() != type) fail("not an ONNX model: field {} is of another kind", reader.tag());
  return reader;
}
data_view bytes_in(pbf_reader& reader) { return expected(reader, Wire::length_delimited).get_view(); }
std::string text_in(pbf_reader& reader) {
  const auto bytes = bytes_in(reader);
  return {bytes.data(), bytes.size()};
}
pbf_reader message_in(pbf_reader& reader) { return pbf_reader(bytes_in(reader)); }
int64_t integer_in(pbf_reader& reader) { return expected(reader, Wire::varint).get_int64(); }

/// Append a repeated number, which stands packed or by itself.
void append_integers(pbf_reader& reader, std::vector<int64_t>& numbers) {
  if (reader.wire_type() != Wire::length_delimited) {
    numbers.push_back(integer_in(reader));
    return;
  }
  for (const auto each : reader.get_packed_int64()) numbers.push_back(each);
}
void append_reals(pbf_reader& reader, std::vector<float>& numbers) {
  if (reader.wire_type() != Wire::length_delimited) {
    numbers.push_back(expected(reader, Wire::fixed32).get_float());
    return;
  }
  for (const auto each : reader.get_packed_float()) numbers.push_back(each);
}
void append_reals(pbf_reader& reader, std::vector<double>& numbers) {
  if (reader.wire_type() != Wire::length_delimited) {
    numbers.push_back(expected(reader, Wire::fixed64).get_double());
    return;
  }
  for (const auto each : reader.get_packed_double()) numbers.push_back(each);
}

/// The weights in other files, below the model's folder.
class ExternalFiles {
 public:
  explicit ExternalFiles(const std::filesystem::path& model)
      : folder_(std::filesystem::weakly_canonical(std::filesystem::absolute(model)).parent_path()) {}

  /// A tensor of bytes in a file, which stay there until they are used.
  at::Tensor tensor(const std::map<std::string, std::string>& place, const std::vector<int64_t>& sizes,
                    c10::ScalarType type, size_t bytes) {
    const auto number = [&](const char* key, size_t missing) {
      const auto found = place.find(key);
      if (found == place.end()) return missing;
      size_t end = 0, value = 0;
      try {
        value = std::stoull(found->second, &end);
      } catch (const std::exception&) {
      }
      if (end == 0 || end != found->second.size() || found->second[0] == '-')
        fail("external data: '{}' must be a number but is '{}'", key, found->second);
      return value;
    };
    const auto location = place.find("location");
    if (location == place.end()) fail("external data without a location");
    const auto offset = number("offset", 0), length = number("length", bytes);
    if (length != bytes) fail("external data of {} bytes for a tensor of {}", length, bytes);
    const auto& [file, size] = open(location->second);
    if (offset > size || bytes > size - offset)
      fail("external data ends after the end of '{}': offset {}, {} bytes, but it has {}", location->second,
           offset, bytes, size);
    const auto options = at::TensorOptions(type);
    if (bytes == 0) return at::empty(sizes, options);
    c10::Storage storage(c10::Storage::use_byte_size_t(), bytes, file.part(offset), nullptr, false);
    if (offset % kAlignment != 0) {
      at::Tensor copy = at::empty(sizes, options);
      std::memcpy(copy.mutable_data_ptr(), storage.data(), bytes);
      return copy;
    }
    return at::empty({0}, options).set_(storage, 0, sizes);
  }

 private:
  static constexpr size_t kAlignment = 64;  // what torch's own allocator gives

  const std::pair<MappedFile, size_t>& open(const std::string& location) {
    if (const auto found = files_.find(location); found != files_.end()) return found->second;
    const auto path = std::filesystem::weakly_canonical(folder_ / location);
    const auto within = path.lexically_relative(folder_);
    if (std::filesystem::path(location).is_absolute() || within.empty() || *within.begin() == "..")
      fail("external data must be in the folder of the model or below it, but is '{}'", location);
    if (!std::filesystem::is_regular_file(path)) fail("external data: there is no file '{}'", location);
    const auto size = std::filesystem::file_size(path);
    return files_.emplace(location, std::pair(MappedFile(path, size), size)).first->second;
  }

  std::filesystem::path folder_;
  std::map<std::string, std::pair<MappedFile, size_t>> files_;
};

class Reader {
 public:
  explicit Reader(const std::filesystem::path& path) : files_(path) {}

  Model model(pbf_reader reader) {
    using namespace model_field;
    Model model;
    std::optional<data_view> graph;
    model.opset = 0;
    while (reader.next()) {
      if (reader.tag() == kGraph)
        graph = bytes_in(reader);
      else if (reader.tag() == kOpsetImport)
        read_opset(message_in(reader), model.opset);
      else
        reader.skip();
    }
    if (!graph) fail("there is no graph: not an ONNX model");
    if (model.opset == 0) fail("the version of the operators (opset) is missing");
    static_cast<Graph&>(model) = read_graph(pbf_reader(*graph), 0);
    return model;
  }

 private:
  static void read_opset(pbf_reader reader, int64_t& opset) {
    std::string domain;
    int64_t version = 0;
    while (reader.next()) {
      if (reader.tag() == opset_field::kDomain)
        domain = text_in(reader);
      else if (reader.tag() == opset_field::kVersion)
        version = integer_in(reader);
      else
        reader.skip();
    }
    if (domain.empty() || domain == "ai.onnx") opset = version;
  }

  Graph read_graph(pbf_reader reader, int depth) {
    using namespace graph_field;
    if (depth > kDeepestGraph) fail("branches nest deeper than {}", kDeepestGraph);
    Graph graph;
    while (reader.next()) {
      switch (reader.tag()) {
        case kNode:
          graph.nodes.push_back(read_node(message_in(reader), depth));
          break;
        case kInitializer:
          graph.initializers.push_back(read_tensor(message_in(reader)));
          break;
        case kInput:
          graph.inputs.push_back(read_value(message_in(reader)));
          break;
        case kOutput:
          graph.outputs.push_back(read_output(message_in(reader)));
          break;
        case kSparseInitializer:
          raise("network", "ONNX: sparse tensors are not supported.");
        default:
          reader.skip();
      }
    }
    // Before IR version 4, initializers were inputs too.
    std::erase_if(graph.inputs, [&](const ValueInfo& input) {
      return std::any_of(graph.initializers.begin(), graph.initializers.end(),
                         [&](const auto& tensor) { return tensor.first == input.name; });
    });
    return graph;
  }

  Node read_node(pbf_reader reader, int depth) {
    using namespace node_field;
    Node node;
    std::string domain;
    while (reader.next()) {
      switch (reader.tag()) {
        case kInput:
          node.inputs.push_back(text_in(reader));
          break;
        case kOutput:
          node.outputs.push_back(text_in(reader));
          break;
        case kName:
          node.name = text_in(reader);
          break;
        case kOpType:
          node.op = text_in(reader);
          break;
        case kDomain:
          domain = text_in(reader);
          break;
        case kAttribute:
          node.attributes.push_back(read_attribute(message_in(reader), depth));
          break;
        default:
          reader.skip();
      }
    }
    if (!domain.empty() && domain != "ai.onnx") node.op = domain + "::" + node.op;
    return node;
  }

  Attribute read_attribute(pbf_reader reader, int depth) {
    using namespace attribute_field;
    Attribute attribute;
    int64_t type = undefined_type;
    int64_t number = 0;
    double real = 0;
    std::string text;
    std::vector<int64_t> numbers;
    std::vector<float> reals;
    std::vector<std::string> texts;
    std::optional<at::Tensor> tensor;
    std::shared_ptr<Graph> graph;
    while (reader.next()) {
      switch (reader.tag()) {
        case kName:
          attribute.name = text_in(reader);
          break;
        case kFloat:
          real = expected(reader, Wire::fixed32).get_float();
          break;
        case kInt:
          number = integer_in(reader);
          break;
        case kString:
          text = text_in(reader);
          break;
        case kTensor:
          tensor = read_tensor(message_in(reader)).second;
          break;
        case kGraph:
          graph = std::make_shared<Graph>(read_graph(message_in(reader), depth + 1));
          break;
        case kFloats:
          append_reals(reader, reals);
          break;
        case kInts:
          append_integers(reader, numbers);
          break;
        case kStrings:
          texts.push_back(text_in(reader));
          break;
        case kType:
          type = integer_in(reader);
          break;
        default:
          reader.skip();
      }
    }
    switch (type) {
      case float_type:
        attribute.value = real;
        break;
      case int_type:
        attribute.value = number;
        break;
      case string_type:
        attribute.value = text;
        break;
      case floats_type:
        attribute.value = std::vector<double>(reals.begin(), reals.end());
        break;
      case ints_type:
        attribute.value = numbers;
        break;
      case strings_type:
        attribute.value = texts;
        break;
      case tensor_type:
        if (!tensor) fail("attribute '{}' has no tensor", attribute.name);
        attribute.value = *tensor;
        break;
      case graph_type:
        if (!graph) fail("attribute '{}' has no graph", attribute.name);
        attribute.value = graph;
        break;
      default:
        raise("network", "ONNX: attribute '{}' has the unsupported type {}.", attribute.name, type);
    }
    return attribute;
  }

  std::pair<std::string, at::Tensor> read_tensor(pbf_reader reader) {
    using namespace tensor_field;
    std::string name;
    std::vector<int64_t> sizes, integers;
    int64_t type = 0, location = 0;
    std::optional<data_view> raw;
    std::vector<float> floats;
    std::vector<double> doubles;
    std::map<std::string, std::string> place;
    while (reader.next()) {
      switch (reader.tag()) {
        case kDims:
          append_integers(reader, sizes);
          break;
        case kDataType:
          type = integer_in(reader);
          break;
        case kName:
          name = text_in(reader);
          break;
        case kRawData:
          raw = bytes_in(reader);
          break;
        case kFloatData:
          append_reals(reader, floats);
          break;
        case kDoubleData:
          append_reals(reader, doubles);
          break;
        case kInt32Data:
        case kInt64Data:
          append_integers(reader, integers);
          break;
        case kExternalData:
          place.insert(read_entry(message_in(reader)));
          break;
        case kDataLocation:
          location = integer_in(reader);
          break;
        default:
          reader.skip();
      }
    }
    try {
      if (sizes.size() > kMostAxes) fail("it has {} axes", sizes.size());
      const auto dtype = scalar_type(type);
      int64_t count = 1;
      for (const auto size : sizes) {
        if (size < 0) fail("it has a size of {}", size);
        count = checked_multiply(count, size);
      }
      const auto bytes =
          static_cast<size_t>(checked_multiply(count, static_cast<int64_t>(c10::elementSize(dtype))));
      if (location == kExternal) return {name, files_.tensor(place, sizes, dtype, bytes)};
      const auto expect = [&](size_t found, size_t wanted, const char* what) {
        if (found != wanted) fail("its sizes need {} {} but it has {}", wanted, what, found);
      };
      if (raw) {
        expect(raw->size(), bytes, "bytes");
        at::Tensor tensor = at::empty(sizes, dtype);
        if (bytes > 0) std::memcpy(tensor.mutable_data_ptr(), raw->data(), bytes);
        return {name, tensor};
      }
      if (dtype == at::kFloat || dtype == at::kDouble) {
        expect(dtype == at::kFloat ? floats.size() : doubles.size(), static_cast<size_t>(count), "numbers");
        at::Tensor tensor = at::empty(sizes, dtype);
        if (dtype == at::kFloat)
          std::copy(floats.begin(), floats.end(), tensor.mutable_data_ptr<float>());
        else
          std::copy(doubles.begin(), doubles.end(), tensor.mutable_data_ptr<double>());
        return {name, tensor};
      }
      expect(integers.size(), static_cast<size_t>(count), "numbers");
      at::Tensor tensor = at::empty(sizes, at::kLong);
      std::copy(integers.begin(), integers.end(), tensor.mutable_data_ptr<int64_t>());
      // Floats of 16 bits stand as their bits.
      if (dtype == at::kHalf || dtype == at::kBFloat16) return {name, tensor.to(at::kShort).view(dtype)};
      return {name, tensor.to(dtype)};
    } catch (const std::runtime_error& error) {
      fail("tensor '{}': {}", name, error.what());
    } catch (const std::out_of_range& error) {
      fail("tensor '{}': {}", name, error.what());
    }
  }

  static std::pair<std::string, std::string> read_entry(pbf_reader reader) {
    std::pair<std::string, std::string> entry;
    while (reader.next()) {
      if (reader.tag() == 1)
        entry.first = text_in(reader);
      else if (reader.tag() == 2)
        entry.second = text_in(reader);
      else
        reader.skip();
    }
    return entry;
  }

  /// The name of an output; its type and sizes are those that the model computes.
  static ValueInfo read_output(pbf_reader reader) {
    ValueInfo value{.name = {}, .type = at::kFloat, .sizes = {}};
    while (reader.next()) {
      if (reader.tag() == value_field::kName)
        value.name = text_in(reader);
      else
        reader.skip();
    }
    return value;
  }

  static ValueInfo read_value(pbf_reader reader) {
    using namespace value_field;
    ValueInfo value;
    int64_t type = 0;
    bool is_tensor = false;
    while (reader.next()) {
      if (reader.tag() == kName) {
        value.name = text_in(reader);
      } else if (reader.tag() == kType) {
        pbf_reader types = message_in(reader);
        while (types.next()) {
          if (types.tag() != kTensorType) {
            types.skip();
            continue;
          }
          is_tensor = true;
          read_tensor_type(message_in(types), type, value.sizes);
        }
      } else {
        reader.skip();
      }
    }
    require(is_tensor, "network", "ONNX: input '{}' must be a tensor; sequences and maps are not supported.",
            value.name);
    value.type = scalar_type(type);
    return value;
  }

  static void read_tensor_type(pbf_reader reader, int64_t& type, std::vector<Dimension>& sizes) {
    using namespace value_field;
    while (reader.next()) {
      if (reader.tag() == kElementType) {
        type = integer_in(reader);
      } else if (reader.tag() == kShape) {
        pbf_reader shape = message_in(reader);
        while (shape.next())
          if (shape.tag() == kDim)
            sizes.push_back(read_dimension(message_in(shape)));
          else
            shape.skip();
      } else {
        reader.skip();
      }
    }
    if (sizes.size() > kMostAxes) fail("an input has {} axes", sizes.size());
  }

  static Dimension read_dimension(pbf_reader reader) {
    Dimension size = std::string();
    while (reader.next()) {
      if (reader.tag() == value_field::kDimValue) {
        if (const auto number = integer_in(reader); number > 0) size = number;
      } else if (reader.tag() == value_field::kDimParam) {
        size = text_in(reader);
      } else {
        reader.skip();
      }
    }
    return size;
  }

  ExternalFiles files_;
};

}  // namespace

Model read_model(const std::filesystem::path& path) {
  if (!std::filesystem::is_regular_file(path)) fail("there is no such file");
  const auto size = std::filesystem::file_size(path);
  if (size == 0) fail("it is empty");
  const MappedFile file(path, size);
  const auto bytes = file.part(0);
  try {
    return Reader(path).model(pbf_reader(static_cast<const char*>(bytes.get()), size));
  } catch (const protozero::exception& error) {
    fail("not an ONNX model: {}", error.what());
  }
}

}  // namespace inn::onnx
