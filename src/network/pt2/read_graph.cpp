#include "read_graph.h"

#include <set>

#include "../allowed_operators.h"
#include "../schema.h"
#include "failure.h"
#include "inn/network/eliminate_dead_code.h"
#include "namesakes.h"
#include "number_operators.h"
#include "read_arguments.h"
#include "read_signature.h"
#include "read_values.h"

namespace inn::pt2 {
namespace {

constexpr int kDeepestSubgraph = 16;

// Checks of the source that say nothing about the result.
const std::set<std::string> kAssertions = {"torch.ops.aten._assert_tensor_metadata.default",
                                           "torch.ops.aten._assert_scalar.default",
                                           "torch.ops.aten._assert_async.msg",
                                           "torch.ops.aten._assert_async.default",
                                           "torch.ops.aten.sym_constrain_range.default",
                                           "torch.ops.aten.sym_constrain_range_for_size.default"};
const std::set<std::string> kControlFlow = {"cond", "while_loop", "map_impl",
                                            "map",  "scan",       "associative_scan"};

/// Reads the nodes of a graph and of the subgraphs in it into one list of calls.
class GraphReader {
 public:
  explicit GraphReader(Network& network) : network_(network) {
    for (const auto& value : network.values) names_.insert(value.name);
  }

  void read(const Json& graph, Scope& scope, int depth) {
    for (const auto& node : array(member(graph, "nodes"))) {
      const auto& target = text(member(node, "target"));
      const auto owner = read_owner(node);
      try {
        read_node(graph, node, target, owner, scope, depth);
      } catch (const Unsupported& error) {
        refuse("{}", with_location(error.what(), target, owner));
      } catch (const std::exception& error) {
        fail("{}", with_location(error.what(), target, owner));
      }
    }
  }

 private:
  /// The message with the innermost call's name before it.
  static std::string with_location(const std::string& what, const std::string& target, const Owner& owner) {
    if (what.starts_with("call '")) return what;
    return fmt::format("call '{}' in module '{}': {}", target, owner.module, what);
  }

  void read_node(const Json& graph, const Json& node, const std::string& target, const Owner& owner,
                 Scope& scope, int depth) {
    constexpr std::string_view prefix = "torch.ops.", higher = "torch.ops.higher_order.";
    if (kAssertions.contains(target)) return;
    if (target.starts_with(higher)) return inline_subgraph(node, target.substr(higher.size()), scope, depth);
    if (is_number_target(target)) return read_number(graph, node, target, owner, scope);
    if (!target.starts_with(prefix)) refuse("it is not a torch operator");
    const auto name = target.substr(prefix.size());
    const auto first = name.find('.'), second = name.find('.', first + 1);
    if (first == std::string::npos || second == std::string::npos)
      fail("it does not name an operator and an overload");
    Call call{name.substr(0, first) + "::" + name.substr(first + 1, second - first - 1),
              name.substr(second + 1)};
    if (call.overload == "default") call.overload.clear();
    if (call.op.starts_with("quantized")) refuse("quantized operators are not supported");
    const auto* namesake = find_namesake(call.op, call.overload);
    if (namesake) std::tie(call.op, call.overload) = std::pair(namesake->op, namesake->overload);
    const auto& schema = known_schema(call);
    const auto& inputs = member(node, "inputs");
    call.arguments = read_arguments(namesake ? as_torchs(inputs, *namesake, schema) : inputs, schema, scope);
    call.module = owner.module;
    call.module_type = owner.type;
    if (const auto refusal = refusal_of(call, schema); !refusal.empty()) refuse("{}", refusal);
    add_results(graph, array(member(node, "outputs")), schema, call, scope);
    network_.calls.push_back(std::move(call));
  }

  /// The arguments of a namesake by the names that torch's operator has for them.
  static Json as_torchs(Json inputs, const Namesake& namesake, const c10::FunctionSchema& schema) {
    for (auto& input : inputs) {
      const auto& name = text(member(input, "name"));
      const auto& own = namesake.arguments;
      const auto place = std::find(own.begin(), own.end(), name) - own.begin();
      if (place == static_cast<int64_t>(own.size())) fail("{} has no argument '{}'", namesake.other, name);
      input["name"] = schema.arguments().at(static_cast<size_t>(place)).name();
    }
    return inputs;
  }

  static const c10::FunctionSchema& known_schema(const Call& call) {
    try {
      return find_schema(call.op, call.overload);
    } catch (const std::invalid_argument&) {
      refuse("this libtorch has no such operator on tensors or sizes");
    }
  }

  void add_results(const Json& graph, const Json& outputs, const c10::FunctionSchema& schema, Call& call,
                   Scope& scope) {
    const auto& returns = schema.returns();
    if (outputs.size() != returns.size())
      fail("{} results are declared but it gives {}", outputs.size(), returns.size());
    for (size_t i = 0; i < returns.size(); ++i) {
      const auto [tag, content] = tagged(outputs[i]);
      Call::Result result;
      result.is_list = returns[i].type()->kind() == c10::TypeKind::ListType;
      if (result.is_list != (tag == "as_tensors")) fail("its result is declared '{}'", tag);
      if (result.is_list) {
        for (const auto& item : array(content))
          result.values.push_back(define(graph, "as_tensor", text(member(item, "name")), scope));
      } else if (tag == "as_none") {
        result.values.push_back(network_.add_value({.name = "", .kind = Value::Kind::other}));
      } else {
        const auto& name = tag == "as_tensor" ? member(content, "name") : member(content, "as_name");
        result.values.push_back(define(graph, tag, text(name), scope));
      }
      call.results.push_back(std::move(result));
    }
  }

  ValueId define(const Json& graph, const std::string& tag, const std::string& name, Scope& scope) {
    auto value = read_value(graph, tag, name);
    // Subgraphs have names of their own.
    for (int i = 1; !names_.insert(value.name).second; ++i) value.name = fmt::format("{}_{}", name, i);
    const auto id = network_.add_value(std::move(value));
    scope.define(name, ValueRef{id});
    return id;
  }

  char kind_of(const Argument& argument) const {
    if (argument.is_value()) {
      const auto& value = network_.values[argument.value()];
      return value.kind == Value::Kind::integer ? 'i' : value.dtype == c10::ScalarType::Bool ? 'b' : 'f';
    }
    return argument.constant().isInt() ? 'i' : argument.constant().isBool() ? 'b' : 'f';
  }

  void read_number(const Json& graph, const Json& node, const std::string& target, const Owner& owner,
                   Scope& scope) {
    std::vector<Argument> arguments;
    std::string kinds;
    for (const auto& input : array(member(node, "inputs"))) {
      arguments.push_back(read_argument(member(input, "arg"), nullptr, scope));
      if (!arguments.back().is_value() && !arguments.back().is_constant()) fail("a list is not a number");
      kinds += kind_of(arguments.back());
    }
    for (const auto& known : number_operators()) {
      if (target != known.python || kinds != known.kinds) continue;
      Call call{known.op, known.overload, std::move(arguments), {}, owner.module, owner.type};
      const auto& outputs = array(member(node, "outputs"));
      add_results(graph, outputs, find_schema(call.op, call.overload), call, scope);
      network_.calls.push_back(std::move(call));
      return;
    }
    refuse("this operator on numbers of kinds '{}' is not supported", kinds);
  }

  /// Reads the subgraph of `torch.no_grad` or of a disabled autocast as if it stood in the graph itself.
  void inline_subgraph(const Json& node, const std::string& name, Scope& scope, int depth) {
    if (kControlFlow.contains(name)) refuse("control flow is not supported");
    const bool is_autocast = name == "wrap_with_autocast";
    if (!is_autocast && name != "wrap_with_set_grad_enabled")
      refuse("this higher order operator is not supported");
    if (depth >= kDeepestSubgraph) fail("subgraphs nest deeper than {}", kDeepestSubgraph);
    const auto& inputs = array(member(node, "inputs"));
    const size_t settings = is_autocast ? 4 : 1;
    if (inputs.size() <= settings) fail("it has only {} arguments", inputs.size());
    if (is_autocast && boolean(member(member(inputs[2], "arg"), "as_bool")))
      refuse("autocast is not supported; export the network in the dtype that it is to run in");
    const auto& graph = member(member(member(inputs[settings], "arg"), "as_graph"), "graph");
    const auto& parameters = array(member(graph, "inputs"));
    if (parameters.size() != inputs.size() - settings - 1)
      fail("its subgraph has {} inputs", parameters.size());
    Scope inner;
    for (size_t i = 0; i < parameters.size(); ++i)
      inner.define(name_of(parameters[i]),
                   read_argument(member(inputs[settings + 1 + i], "arg"), nullptr, scope));
    read(graph, inner, depth + 1);
    std::vector<std::string> outer;
    for (const auto& output : array(member(node, "outputs"))) {
      const auto [tag, content] = tagged(output);
      if (tag == "as_tensors") {
        for (const auto& item : array(content)) outer.push_back(text(member(item, "name")));
      } else {
        outer.push_back(tag == "as_none" ? "" : name_of(output));
      }
    }
    const auto& outputs = array(member(graph, "outputs"));
    if (outputs.size() != outer.size())
      fail("its subgraph has {} outputs, not {}", outputs.size(), outer.size());
    for (size_t i = 0; i < outer.size(); ++i)
      if (!outer[i].empty()) scope.define(outer[i], read_argument(outputs[i], nullptr, inner));
  }

  Network& network_;
  std::set<std::string> names_;
};

}  // namespace

Network read_program(const Json& program, TensorFolder& weights, TensorFolder& constants) {
  Network network;
  Scope scope;
  const auto& graph_module = member(program, "graph_module");
  const auto& graph = member(graph_module, "graph");
  read_inputs(graph_module, weights, constants, network, scope);
  GraphReader(network).read(graph, scope, 0);
  read_outputs(graph_module, network, scope);
  read_call_signature(graph_module, network);
  for (const auto& [symbol, range] : member(program, "range_constraints").items()) {
    const auto& minimum = member(range, "min_val");
    const auto& maximum = member(range, "max_val");
    auto& kept = network.ranges[symbol];
    if (!minimum.is_null()) kept.minimum = integer(minimum);
    if (!maximum.is_null()) kept.maximum = integer(maximum);
  }
  remove_dead_number_calls(network);
  return network;
}

}  // namespace inn::pt2
