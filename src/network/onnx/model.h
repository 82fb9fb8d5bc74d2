#pragma once
// An ONNX model as data, and its wire format.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace inn::onnx {

struct Graph;

struct Attribute {
  std::string name;
  std::variant<int64_t, double, std::string, std::vector<int64_t>, std::vector<double>,
               std::vector<std::string>, at::Tensor, std::shared_ptr<Graph>>
      value;
};

/// A call of an operator. Optional inputs that are missing are "".
struct Node {
  std::string op;  // "Conv"; of other domains than ONNX's own with it, "com.microsoft::FusedConv"
  std::vector<std::string> inputs, outputs;
  std::vector<Attribute> attributes;
  std::string name = {};
};

/// A number, or a symbol where the size is dynamic; "" for one without a name.
using Dimension = std::variant<int64_t, std::string>;

struct ValueInfo {
  std::string name;
  c10::ScalarType type;
  std::vector<Dimension> sizes;
};

struct Graph {
  std::vector<Node> nodes = {};  // each after those whose outputs it reads
  std::vector<std::pair<std::string, at::Tensor>> initializers = {};
  std::vector<ValueInfo> inputs = {}, outputs = {};  // inputs: those that have no initializer
};

struct Model : Graph {
  int64_t opset = 20;
};

/// Returns the number of the type in TensorProto.DataType. Throws std::invalid_argument for types that ONNX lacks.
int32_t element_type(c10::ScalarType type);

/// Writes the model (onnx.proto of IR version 10). With `weights`, initializers of a kilobyte or more go there, and the model
/// refers to a file of that name beside it.
void write_model(const Model& model, std::ostream& stream, std::ostream* weights = nullptr,
                 const std::string& weights_name = "");

/// Returns the type of that number. Throws std::invalid_argument for types that torch lacks.
c10::ScalarType scalar_type(int64_t element_type);

/// Reads the model of a file, with weights in other files of its folder or below it.
///
/// The file is not trusted: every size and every type is checked, and no other file is opened. Throws std::runtime_error for what
/// is not a valid model, std::invalid_argument for what is not supported (strings, sparse tensors, sequences, types of four bits).
Model read_model(const std::filesystem::path& path);

}  // namespace inn::onnx
