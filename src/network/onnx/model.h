#pragma once
// An ONNX model as data, and its wire format.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <iosfwd>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace inn::onnx {

struct Attribute {
  std::string name;
  std::variant<int64_t, double, std::string, std::vector<int64_t>, std::vector<double>> value;
};

/// A call of an operator of the default domain. Optional inputs that are missing are "".
struct Node {
  std::string op;
  std::vector<std::string> inputs, outputs;
  std::vector<Attribute> attributes;
  std::string name = {};
};

/// A number, or a symbol where the size is dynamic.
using Dimension = std::variant<int64_t, std::string>;

struct ValueInfo {
  std::string name;
  c10::ScalarType type;
  std::vector<Dimension> sizes;
};

struct Model {
  int64_t opset = 20;
  std::vector<Node> nodes = {};  // each after those whose outputs it reads
  std::vector<std::pair<std::string, at::Tensor>> initializers = {};
  std::vector<ValueInfo> inputs = {}, outputs = {};
};

/// Returns the number of the type in TensorProto.DataType. Throws std::invalid_argument for types that ONNX lacks.
int32_t element_type(c10::ScalarType type);

/// Writes the model (onnx.proto of IR version 10). With `weights`, initializers of a kilobyte or more go there, and the model
/// refers to a file of that name beside it.
void write(const Model& model, std::ostream& stream, std::ostream* weights = nullptr,
           const std::string& weights_name = "");

}  // namespace inn::onnx
