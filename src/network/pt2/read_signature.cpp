#include "read_signature.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include "../schema.h"
#include "failure.h"
#include "inn/core/mapped_file.h"
#include "read_values.h"

namespace inn::pt2 {
namespace {

using Kind = StateEntry::Kind;

class InputReader {
 public:
  InputReader(const Json& graph, TensorFolder& weights, TensorFolder& constants, Network& network,
              Scope& scope)
      : graph_(graph), weights_(weights), constants_(constants), network_(network), scope_(scope) {}

  void read(const Json& spec, const Json& input) {
    const auto [kind, content] = tagged(spec);
    if (kind == "parameter") {
      add_state(content, text(member(content, "parameter_name")), Kind::parameter, input);
    } else if (kind == "buffer") {
      const bool persistent = boolean(member(content, "persistent"));
      add_state(content, text(member(content, "buffer_name")),
                persistent ? Kind::buffer : Kind::transient_buffer, input);
    } else if (kind == "tensor_constant") {
      add_state(content, text(member(content, "tensor_constant_name")), Kind::constant, input);
    } else if (kind == "user_input") {
      add_user_input(member(content, "arg"));
    } else if (kind == "constant_input") {
      add_constant(text(member(content, "name")), member(content, "value"));
    } else {
      refuse("an input of the kind '{}' is not supported", kind);
    }
  }

 private:
  void add_state(const Json& content, const std::string& name, Kind kind, const Json& input) {
    const auto& value_name = text(member(member(content, "arg"), "name"));
    if (name_of(input) != value_name) fail("input '{}' is '{}' in the signature", name_of(input), value_name);
    auto& folder = kind == Kind::parameter || kind == Kind::buffer ? weights_ : constants_;
    const auto held = folder.read(name);
    check(held.tensor, name, kind, value_name);
    if (const auto found = owners_.find(held.identity); found != owners_.end()) {
      auto& entry = network_.state[found->second];
      entry.aliases.push_back(name);
      return scope_.define(value_name, ValueRef{entry.value});
    }
    owners_[held.identity] = network_.state.size();
    const auto id = define("as_tensor", value_name);
    network_.state.push_back({name, kind, id, held.tensor, {}});
  }

  void check(const at::Tensor& tensor, const std::string& name, Kind kind,
             const std::string& value_name) const {
    const auto value = read_value(graph_, "as_tensor", value_name);
    if (tensor.sizes() != at::IntArrayRef(value.sizes) || tensor.scalar_type() != value.dtype)
      fail("tensor '{}': the graph declares {}[{}] but the archive contains {}[{}]", name,
           c10::toString(value.dtype), fmt::join(value.sizes, ", "), c10::toString(tensor.scalar_type()),
           fmt::join(tensor.sizes(), ", "));
    const bool is_learnt = kind == Kind::parameter || kind == Kind::buffer;
    if (is_learnt && tensor.is_floating_point() && at::isnan(tensor.detach()).any().item<bool>())
      fail("tensor '{}': contains NaN", name);
    release_pages(tensor);
  }

  void add_user_input(const Json& argument) {
    const auto [tag, content] = tagged(argument);
    if (tag == "as_tensor" || tag == "as_sym_int" || tag == "as_sym_float" || tag == "as_sym_bool") {
      network_.inputs.push_back(define(tag, name_of(argument)));
      ++leaf_;
    } else if (tag == "as_custom_obj") {
      refuse("custom objects are not supported");
    } else {
      add_constant("", argument);
    }
  }

  void add_constant(const std::string& name, const Json& value) {
    const auto constant = read_argument(value, nullptr, Scope());
    network_.signature.constants.push_back({leaf_++, name, constant.constant()});
  }

  ValueId define(const std::string& tag, const std::string& name) {
    const auto id = network_.add_value(read_value(graph_, tag, name));
    scope_.define(name, ValueRef{id});
    return id;
  }

  const Json& graph_;
  TensorFolder &weights_, &constants_;
  Network& network_;
  Scope& scope_;
  std::map<std::string, size_t> owners_;
  size_t leaf_ = 0;
};

/// Appends what puts `source` into `target` at the end of a run.
void add_copy(Network& network, const Argument& target, const Argument& source) {
  const auto written = network.values.at(target.value());
  Call call{"aten::copy_", "", {target, source, c10::IValue(false)}};
  auto value = written;
  value.name = written.name + "_written";
  call.results = {{false, {network.add_value(std::move(value))}}};
  network.calls.push_back(std::move(call));
}

}  // namespace

const std::string& name_of(const Json& argument) {
  const auto [tag, content] = tagged(argument);
  return text(member(content, tag.starts_with("as_sym") ? "as_name" : "name"));
}

void read_inputs(const Json& graph_module, TensorFolder& weights, TensorFolder& constants, Network& network,
                 Scope& scope) {
  const auto& graph = member(graph_module, "graph");
  const auto& inputs = array(member(graph, "inputs"));
  const auto& specs = array(member(member(graph_module, "signature"), "input_specs"));
  if (inputs.size() != specs.size()) fail("{} inputs but the signature has {}", inputs.size(), specs.size());
  InputReader reader(graph, weights, constants, network, scope);
  for (size_t i = 0; i < specs.size(); ++i) reader.read(specs[i], inputs[i]);
}

void read_outputs(const Json& graph_module, Network& network, const Scope& scope) {
  const auto& outputs = array(member(member(graph_module, "graph"), "outputs"));
  const auto& specs = array(member(member(graph_module, "signature"), "output_specs"));
  if (outputs.size() != specs.size())
    fail("{} outputs but the signature has {}", outputs.size(), specs.size());
  for (size_t i = 0; i < specs.size(); ++i) {
    const auto [kind, content] = tagged(specs[i]);
    const auto argument = read_argument(outputs[i], nullptr, scope);
    if (kind == "user_output" || kind == "loss_output") {
      if (argument.is_list()) fail("output {} is a list", i);
      network.outputs.push_back(argument);
    } else if (kind == "buffer_mutation") {
      const auto index = network.find_state(text(member(content, "buffer_name")));
      add_copy(network, ValueRef{network.state[index].value}, argument);
    } else if (kind == "user_input_mutation") {
      add_copy(network, scope.find(text(member(content, "user_input_name"))), argument);
    } else {
      refuse("an output of the kind '{}' is not supported", kind);
    }
  }
}

void read_call_signature(const Json& graph_module, Network& network) {
  for (const auto& entry : array(member(graph_module, "module_call_graph"))) {
    if (!text(member(entry, "fqn")).empty()) continue;
    const auto& signature = member(entry, "signature");
    network.signature.in_spec = text(member(signature, "in_spec"));
    network.signature.out_spec = text(member(signature, "out_spec"));
    const auto& names = optional_member(signature, "forward_arg_names");
    if (!names.is_null())
      for (const auto& name : array(names)) network.signature.argument_names.push_back(text(name));
    return;
  }
  fail("the signature of the network itself is missing");
}

}  // namespace inn::pt2
