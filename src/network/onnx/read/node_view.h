#pragma once
// A node's inputs and attributes, as an operator reads them.

#include <ATen/core/Tensor.h>

#include <functional>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "../model.h"

namespace inn::onnx::reading {

class Interpreter;

class NodeView {
 public:
  NodeView(Interpreter& interpreter, const Node& node) : interpreter_(interpreter), node_(node) {}

  const Node& node() const { return node_; }
  int64_t opset() const;
  size_t input_count() const { return node_.inputs.size(); }
  bool has(size_t input) const { return input < node_.inputs.size() && !node_.inputs[input].empty(); }
  /// Whether anything reads the output.
  bool is_used(size_t output) const {
    return output < node_.outputs.size() && !node_.outputs[output].empty();
  }

  /// The input as a tensor of the network: a value, or one of its state.
  at::Tensor tensor(size_t input);
  /// The same; not defined if it is missing.
  at::Tensor optional_tensor(size_t input) { return has(input) ? tensor(input) : at::Tensor(); }
  /// The same as an operand of arithmetic with a tensor of this rank: a constant number is a number of the call.
  at::Tensor operand(size_t input, int64_t other_rank);
  std::optional<at::Scalar> scalar(size_t input, int64_t other_rank);  // such a number
  int64_t rank(size_t input);
  std::vector<at::Tensor> tensors();

  /// The input if it is known without running the network, else nullptr: a weight, or computed from weights and sizes.
  const at::Tensor* constant(size_t input);
  /// Such an input as numbers. Refuse the node if it depends on the network's input.
  std::vector<int64_t> integers(size_t input);
  int64_t integer(size_t input);
  double number(size_t input);
  double element(size_t input, int64_t place);
  at::Scalar number_of(const at::Tensor& constant);
  std::vector<int64_t> sizes(size_t input);

  /// What `compute` returns; operators that it calls are not recorded.
  at::Tensor unrecorded(const std::function<at::Tensor()>& compute) const;
  /// A state tensor computed from a constant input, named after it with a suffix; the same one if it is asked for again.
  at::Tensor derived(size_t input, const std::string& suffix,
                     const std::function<at::Tensor(const at::Tensor&)>& compute);

  /// Whether all readers of the initializer compute its product with a matrix in this same way, so that its transpose can stand in
  /// for it.
  bool is_weight_of_products(size_t input) const;

  bool has_attribute(const std::string& name) const { return find(name) != nullptr; }
  int64_t attribute(const std::string& name, int64_t missing) const;
  double real(const std::string& name, double missing) const;
  std::string text(const std::string& name, const std::string& missing) const;
  std::vector<int64_t> attributes(const std::string& name, std::vector<int64_t> missing = {}) const;
  const Attribute* find(const std::string& name) const;
  /// Attributes and inputs that make no difference to what is computed here. Others that no rule read are refused.
  void ignore(std::initializer_list<const char*> names) const { read_.insert(names.begin(), names.end()); }
  void ignore_input(size_t input) const { read_inputs_.insert(input); }
  void require_all_read() const;

  /// Refuses the node: std::invalid_argument with its operator and name, and why.
  [[noreturn]] void refuse(const std::string& why) const;
  void require_that(bool holds, const std::string& why) const {
    if (!holds) refuse(why);
  }

 private:
  Interpreter& interpreter_;
  const Node& node_;
  mutable std::set<std::string> read_;  // attributes
  mutable std::set<size_t> read_inputs_;
};

/// "Node 'conv1/Conv' (Conv)".
std::string described(const Node& node);

/// An axis from 0 of a tensor of this rank; refuses others.
int64_t axis_of(const NodeView& node, int64_t axis, int64_t rank);

}  // namespace inn::onnx::reading
