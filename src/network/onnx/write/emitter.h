#pragma once
// Turning calls of a network into nodes of an ONNX model.

#include <ATen/core/Tensor.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "../model.h"
#include "inn/network/network.h"
#include "inn/network/value_uses.h"

namespace inn::onnx {

/// The name of a tensor of the model; "" for none.
using Name = std::string;

/// Whether the size of the axis differs between runs.
bool is_dynamic(const Value& value, size_t axis);

class Emitter {
 public:
  explicit Emitter(const Network& network, int64_t opset);

  /// Adds a node with one output, or several, and returns their names.
  Name add(const std::string& op, std::vector<Name> inputs, std::vector<Attribute> attributes = {});
  std::vector<Name> add_several(const std::string& op, std::vector<Name> inputs,
                                std::vector<Attribute> attributes, size_t outputs);

  /// Constants: a tensor, numbers of one axis (int64), a number without axes.
  Name constant(const at::Tensor& tensor);
  Name integers(std::vector<int64_t> numbers);
  Name scalar(const c10::Scalar& number, c10::ScalarType type);

  /// The name of a value.
  Name name_of(ValueId value) const;
  /// The transpose of a matrix: of a parameter that nothing else reads a parameter itself, NAME.T; else by a node.
  Name transposed(ValueId matrix);
  /// Gives a result of a call a tensor of the model: the name of the value, if nothing else has it.
  void bind(ValueId value, const Name& name);

  /// The size of an axis, [1] int64.
  Name size_of(const Name& tensor, int64_t axis);
  /// A size as [1] int64; as a number if it is known.
  Name size(const Argument& argument);
  std::optional<int64_t> known_size(const Argument& argument) const;
  /// Sizes, one axis int64.
  Name sizes(const std::vector<Argument>& arguments);

  const Network& network() const { return network_; }
  int64_t opset() const { return model_.opset; }
  /// The calls that follow come from this module: nodes are named after it.
  void set_module(const std::string& module) { module_ = module; }

  /// Adds inputs, outputs and the parameters that are used, and returns the model.
  Model finish();

 private:
  Name fresh(const std::string& base);
  /// Of an output of the network that is a number: a tensor without axes.
  ValueInfo number_output(const Argument& output);
  /// Of a size symbol that no dynamic axis gives.
  std::optional<int64_t> fixed_value(SymbolId symbol) const;
  std::vector<Dimension> dimensions(ValueId value) const;
  /// Of a dynamic axis; "" where its size has no name of its own.
  std::string symbol_of(ValueId value, size_t axis) const;

  const Network& network_;
  Model model_;
  std::string module_;
  std::map<ValueId, Name> names_;
  std::map<Name, int64_t> used_;                    // names, and how often a base was asked for
  std::map<Name, std::pair<size_t, size_t>> made_;  // by output: node, place
  std::map<std::pair<Name, int64_t>, Name> axis_sizes_;
  std::map<std::vector<int64_t>, Name> integers_;
  ValueUses uses_;
  std::map<ValueId, Name> transposes_;
};

}  // namespace inn::onnx
