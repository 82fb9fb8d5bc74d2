#pragma once
// Runs a model by calls of torch, and records them as a network.

#include <functional>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "../../recorder.h"
#include "../model.h"
#include "inn/network/network.h"
#include "node_view.h"

namespace inn::onnx::reading {

/// Returns the outputs of a node.
using Operator = std::function<std::vector<at::Tensor>(NodeView&)>;
/// By name: "Conv".
using Operators = std::map<std::string, Operator>;

/// All that are supported.
const Operators& operators();

/// What a name of the model stands for.
struct Item {
  at::Tensor tensor;  // of the example
  /// Whether it is known without running the network, and then whether it depends on the sizes of the inputs.
  bool is_constant = false, depends_on_sizes = false;
  bool is_weight = false;  // or computed from weights alone
  const Node* producer = nullptr;
  /// How calls of the network read it; not defined before one does.
  at::Tensor recorded = {};
};

/// Runs the nodes in order. What depends on the input is recorded; what weights and sizes alone determine is computed at once, and
/// becomes arguments of calls, or state of the network where a call reads it as a tensor.
class Interpreter {
 public:
  explicit Interpreter(const Model& model);

  /// Returns the network for inputs of these sizes: their sizes become numbers.
  Network run(const std::vector<std::vector<int64_t>>& input_sizes);

 private:
  friend class NodeView;

  void run_graph(const Graph& graph);
  void run_node(const Node& node);
  void run_branch(const Node& node);
  std::vector<at::Tensor> compute(const Node& node);
  void define(const std::string& name, Item item);
  Item& item(const std::string& name, const Node& reader);
  at::Tensor tensor_of(const std::string& name, Item& item);
  void count_readers(const Graph& graph);
  at::Tensor add_state(const std::string& name, const Item& item, const at::Tensor& tensor);

  const Model& model_;
  std::map<std::string, std::vector<const Node*>> readers_;
  std::set<std::string> statistics_;  // running means and variances: buffers, not parameters
  std::map<std::string, Item> items_;
  std::map<std::pair<std::string, std::string>, at::Tensor>
      derived_;  // by the tensor that it is made of, and the suffix
  std::set<std::string> state_names_;
  Recorder* recorder_ = nullptr;
  bool is_recording_ = false;
};

}  // namespace inn::onnx::reading
