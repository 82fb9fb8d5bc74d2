#include "interpreter.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "inn/core/error.h"
#include "inn/network/training_arguments.h"

namespace inn::onnx::reading {
namespace {

/// The module that a node belongs to: "/layer1/layer1.0/conv1/Conv" and "layer1.0.conv1/Conv" are of "layer1.0.conv1".
std::string module_of(const std::string& name) {
  std::vector<std::string> parts;
  size_t begin = 0;
  for (size_t end = name.find('/'); end != std::string::npos; begin = end + 1, end = name.find('/', begin)) {
    const auto part = name.substr(begin, end - begin);
    if (part.empty()) continue;
    if (!parts.empty() && part.starts_with(parts.back() + "."))
      parts.back() = part;
    else
      parts.push_back(part);
  }
  return fmt::format("{}", fmt::join(parts, "."));
}

}  // namespace

Interpreter::Interpreter(const Model& model) : model_(model) { count_readers(model); }

void Interpreter::count_readers(const Graph& graph) {
  for (const auto& node : graph.nodes) {
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      readers_[node.inputs[i]].push_back(&node);
      if (node.op == "BatchNormalization" && i >= 3) statistics_.insert(node.inputs[i]);
    }
    for (const auto& attribute : node.attributes)
      if (const auto* branch = std::get_if<std::shared_ptr<Graph>>(&attribute.value)) count_readers(**branch);
  }
}

Network Interpreter::run(const std::vector<std::vector<int64_t>>& input_sizes) {
  items_.clear();
  derived_.clear();
  state_names_.clear();
  Recorder recorder(Recorder::State::shared);
  recorder_ = &recorder;
  std::vector<at::Tensor> inputs;
  for (size_t i = 0; i < model_.inputs.size(); ++i) {
    const auto& input = model_.inputs[i];
    inputs.push_back(at::zeros(input_sizes.at(i), input.type));
    recorder.add_input(input.name, inputs.back());
    define(input.name, {.tensor = inputs.back(), .recorded = inputs.back()});
  }
  auto network = recorder.record([&] {
    run_graph(model_);
    std::vector<c10::IValue> outputs;
    recorder.set_module("");
    for (const auto& output : model_.outputs) {
      const auto found = items_.find(output.name);
      require<std::runtime_error>(found != items_.end(), "network", "output '{}' is never computed.",
                                  output.name);
      outputs.emplace_back(tensor_of(output.name, found->second));
    }
    return c10::ivalue::Tuple::create(std::move(outputs));
  });
  recorder_ = nullptr;
  for (size_t i = 0; i < model_.outputs.size(); ++i) {
    auto& output = network.outputs[i];
    const auto& name = model_.outputs[i].name;
    const auto is_taken = std::any_of(network.values.begin(), network.values.end(),
                                      [&](const Value& value) { return value.name == name; });
    if (output.is_value() && !is_taken && !network.state_of(output.value()))
      network.values[static_cast<size_t>(output.value())].name = name;
  }
  keep_training_arguments(network, SourceMode::evaluation);
  return network;
}

void Interpreter::define(const std::string& name, Item item) {
  if (name.empty()) return;
  require<std::runtime_error>(items_.emplace(name, std::move(item)).second, "network",
                              "'{}' is defined twice.", name);
}

Item& Interpreter::item(const std::string& name, const Node& reader) {
  const auto found = items_.find(name);
  require<std::runtime_error>(found != items_.end(), "network",
                              "{}: its input '{}' is not defined before it.", described(reader), name);
  return found->second;
}

void Interpreter::run_graph(const Graph& graph) {
  for (const auto& [name, tensor] : graph.initializers)
    define(name, {.tensor = tensor, .is_constant = true, .is_weight = true});
  for (const auto& node : graph.nodes) run_node(node);
}

void Interpreter::run_node(const Node& node) {
  if (node.op == "If") return run_branch(node);
  bool is_constant = true, depends_on_sizes = false, is_weight = node.op == "Constant";
  for (const auto& name : node.inputs) {
    if (name.empty()) continue;
    const auto& input = item(name, node);
    is_constant = is_constant && input.is_constant;
    depends_on_sizes = depends_on_sizes || input.depends_on_sizes;
    is_weight = is_weight || input.is_weight;
  }
  const bool is_size = node.op == "Shape" || node.op == "Size";
  if (is_size && !is_constant) is_constant = depends_on_sizes = true;
  std::vector<at::Tensor> outputs;
  if (is_constant) {
    const Recorder::Unrecorded pause(*recorder_);
    const bool was_recording = std::exchange(is_recording_, false);
    outputs = compute(node);
    is_recording_ = was_recording;
  } else {
    is_recording_ = true;
    recorder_->set_module(module_of(node.name));
    outputs = compute(node);
    is_recording_ = false;
  }
  for (size_t i = 0; i < node.outputs.size() && i < outputs.size(); ++i)
    define(node.outputs[i], {.tensor = outputs[i],
                             .is_constant = is_constant,
                             .depends_on_sizes = depends_on_sizes,
                             .is_weight = is_weight && !is_size && !depends_on_sizes,
                             .producer = &node,
                             .recorded = is_constant ? at::Tensor() : outputs[i]});
}

/// Only the branch that the sizes choose: exporters make branches where they do not know the number of axes.
void Interpreter::run_branch(const Node& node) {
  NodeView view(*this, node);
  const auto* condition = view.constant(0);
  view.require_that(condition != nullptr && condition->numel() == 1,
                    "control flow that depends on data is not supported");
  const bool holds = [&] {
    const Recorder::Unrecorded pause(*recorder_);
    return condition->item<bool>();
  }();
  const auto* attribute = view.find(holds ? "then_branch" : "else_branch");
  const auto* branch = attribute ? std::get_if<std::shared_ptr<Graph>>(&attribute->value) : nullptr;
  view.require_that(branch != nullptr, "the branch is missing");
  // Names within a branch are its own.
  std::vector<std::string> outer;
  for (const auto& [name, item] : items_) outer.push_back(name);
  run_graph(**branch);
  std::vector<Item> results;
  for (const auto& output : (*branch)->outputs) results.push_back(item(output.name, node));
  std::erase_if(items_, [&](const auto& entry) {
    return !std::binary_search(outer.begin(), outer.end(), entry.first);
  });
  for (size_t i = 0; i < node.outputs.size() && i < results.size(); ++i) define(node.outputs[i], results[i]);
}

std::vector<at::Tensor> Interpreter::compute(const Node& node) {
  const auto found = operators().find(node.op);
  require(found != operators().end(), "network", "{}: the operator '{}' is not supported.", described(node),
          node.op);
  NodeView view(*this, node);
  try {
    auto outputs = found->second(view);
    view.require_all_read();
    for (size_t i = outputs.size(); i < node.outputs.size(); ++i)
      view.require_that(node.outputs[i].empty() || !readers_.contains(node.outputs[i]),
                        fmt::format("output {} is not supported", i));
    return outputs;
  } catch (const c10::Error& error) {
    const std::string what = error.what_without_backtrace();
    view.refuse(what.substr(0, what.find('\n')));
  }
}

at::Tensor Interpreter::tensor_of(const std::string& name, Item& item) {
  if (item.recorded.defined()) return item.recorded;
  if (!is_recording_) return item.tensor;
  const bool is_size =
      item.producer != nullptr && (item.producer->op == "Shape" || item.producer->op == "Size");
  if (item.depends_on_sizes && item.producer != nullptr && !is_size) {
    // Calls make it anew, so that it follows the sizes where these are dynamic.
    const auto outputs = compute(*item.producer);
    for (size_t i = 0; i < outputs.size(); ++i)
      if (item.producer->outputs[i] == name) item.recorded = outputs[i];
  }
  if (!item.recorded.defined()) item.recorded = add_state(name, item, item.tensor);
  return item.recorded;
}

at::Tensor Interpreter::add_state(const std::string& name, const Item& item, const at::Tensor& tensor) {
  auto kind = StateEntry::Kind::constant;
  if (item.is_weight && tensor.is_floating_point() && tensor.dim() > 0)
    kind = statistics_.contains(name) ? StateEntry::Kind::buffer : StateEntry::Kind::parameter;
  at::Tensor own = tensor;
  {
    // Two names of one tensor would be tied weights.
    const Recorder::Unrecorded pause(*recorder_);
    own = tensor.detach();
    own.set_requires_grad(kind == StateEntry::Kind::parameter);
    require(kind == StateEntry::Kind::constant || !own.isnan().any().item<bool>(), "network",
            "Tensor '{}' contains NaN.", name);
  }
  auto unique = name;
  while (!state_names_.insert(unique).second) unique += "_";
  recorder_->add_state(unique, kind, own);
  return own;
}

}  // namespace inn::onnx::reading
