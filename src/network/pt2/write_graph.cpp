#include "write_graph.h"

#include <torch/version.h>

#include <set>

#include "../schema.h"
#include "failure.h"
#include "names.h"
#include "number_operators.h"
#include "write_arguments.h"
#include "write_signature.h"
#include "write_values.h"

namespace inn::pt2 {
namespace {

/// Writes the calls as nodes, and the arithmetic of the sizes that they need.
class NodeWriter {
 public:
  explicit NodeWriter(const Network& network)
      : network_(network), names_(python_names(network)), taken_(names_.begin(), names_.end()) {
    for (const auto& call : network.calls)
      if (!call.module_type.empty()) types_.emplace(call.module, call.module_type);
    for (size_t id = 0; id < network.values.size(); ++id) {
      const auto& value = network.values[id];
      if (value.kind == Value::Kind::integer)
        integers_[names_[id]] = to_json(Size{value.number, value.formula});
    }
  }

  void write_calls() {
    for (const auto& call : network_.calls) {
      try {
        write_call(call);
      } catch (const Unsupported& error) {
        refuse("call '{}' in module '{}': {}", call.qualified_name(), call.module, error.what());
      }
    }
  }

  ArgumentContext context() {
    return {network_, names_, [this](const SizeExpression& size) { return symbolic(size); }};
  }

  Json nodes_ = Json::array();
  Json integers_ = Json::object();

 private:
  void write_call(const Call& call) {
    const auto& schema = find_schema(call.op, call.overload);
    const auto target = target_of(call);
    auto arguments = write_arguments(call, schema, context());
    Json outputs = Json::array();
    for (const auto& result : call.results) {
      if (result.is_list) {
        Json items = Json::array();
        for (const auto value : result.values) items.push_back({{"name", names_[value]}});
        outputs.push_back({{"as_tensors", items}});
      } else {
        const auto& value = network_.values[result.values[0]];
        const bool is_none = value.kind == Value::Kind::other && value.name.empty();
        outputs.push_back(is_none ? Json{{"as_none", true}} : write_value(result.values[0], context()));
      }
    }
    const bool one = call.results.size() == 1 && !call.results[0].is_list;
    const auto name = one ? names_[call.results[0].values[0]]
                          : fresh_name(schema.name().substr(schema.name().find("::") + 2));
    add_node(target, std::move(arguments), std::move(outputs), write_metadata(call, types_), name);
  }

  static std::string target_of(const Call& call) {
    if (call.op == "aten::size" && call.overload == "int") return "torch.ops.aten.sym_size.int";
    for (const auto& known : number_operators())
      if (call.op == known.op && call.overload == known.overload) return known.python;
    const auto colons = call.op.find("::");
    const auto space = call.op.substr(0, colons);
    const bool is_script = find_schema(call.op, call.overload).name().starts_with("prim::");
    if (is_script) refuse("an archive has no such operator");
    return fmt::format("torch.ops.{}.{}.{}", space, call.op.substr(colons + 2),
                       call.overload.empty() ? "default" : call.overload);
  }

  void add_node(const std::string& target, Json arguments, Json outputs, Json metadata,
                const std::string& name) {
    nodes_.push_back({{"target", target},
                      {"inputs", std::move(arguments)},
                      {"outputs", std::move(outputs)},
                      {"metadata", std::move(metadata)},
                      {"is_hop_single_tensor_return", nullptr},
                      {"name", name}});
  }

  std::string fresh_name(const std::string& wanted) {
    auto name = wanted;
    for (int i = 1; !taken_.insert(name).second; ++i) name = fmt::format("{}_{}", wanted, i);
    return name;
  }

  /// An integer of the graph: a number, or a node's result.
  struct Number {
    Size size;
    std::string name = {};  // "" for a number
    Json symbolic() const { return name.empty() ? Json{{"as_int", size.value}} : Json{{"as_name", name}}; }
    Json argument() const { return name.empty() ? symbolic() : Json{{"as_sym_int", symbolic()}}; }
  };

  Number add_integer(const std::string& target, const std::string& wanted, Json arguments, const Size& size) {
    const auto key = target + arguments.dump();
    if (const auto found = known_.find(key); found != known_.end()) return found->second;
    const Number number{size, fresh_name(wanted)};
    integers_[number.name] = to_json(size);
    add_node(target, std::move(arguments), Json::array({{{"as_sym_int", number.symbolic()}}}), Json::object(),
             number.name);
    known_[key] = number;
    return number;
  }

  Number binary(const char* target, const char* wanted, const Number& a, const Number& b, const Size& size) {
    Json arguments = {{{"name", "a"}, {"arg", a.argument()}, {"kind", 1}},
                      {{"name", "b"}, {"arg", b.argument()}, {"kind", 1}}};
    return add_integer(target, wanted, std::move(arguments), size);
  }

  Number times(const Number& a, const Number& b) {
    if (a.name.empty() && b.name.empty()) return {a.size * b.size};
    if (a.name.empty() && a.size.value == 1) return b;
    if (b.name.empty() && b.size.value == 1) return a;
    return binary("_operator.mul", "mul", a, b, a.size * b.size);
  }

  Number plus(const Number& a, const Number& b) {
    if (a.name.empty() && b.name.empty()) return {a.size + b.size};
    if (a.name.empty() && a.size.value == 0) return b;
    if (b.name.empty() && b.size.value == 0) return a;
    return binary("_operator.add", "add", a, b, a.size + b.size);
  }

  /// A symbol is a number where its axis has a fixed size, and follows the axis where that is dynamic.
  Number symbol(SymbolId id) {
    const auto& symbol = network_.symbols[id];
    if (!symbol.source) return {{symbol.value}};
    const auto& value = network_.values[symbol.source->value];
    const auto axis = static_cast<size_t>(symbol.source->axis);
    const auto size = value.sizes.at(axis);
    if (axis >= value.formulas.size() || value.formulas[axis].empty()) return {{size}};
    Json arguments = {{{"name", "self"}, {"arg", write_value(symbol.source->value, context())}, {"kind", 1}},
                      {{"name", "dim"}, {"arg", {{"as_int", symbol.source->axis}}}, {"kind", 1}}};
    return add_integer("torch.ops.aten.sym_size.int", "sym_size_int", std::move(arguments),
                       {size, value.formulas[axis]});
  }

  Json symbolic(const SizeExpression& size) {
    Number sum{{0}};
    for (const auto& term : size.terms()) {
      Number product{{term.coefficient}};
      for (const auto id : term.symbols) product = times(product, symbol(id));
      sum = plus(sum, product);
    }
    return sum.symbolic();
  }

  const Network& network_;
  std::vector<std::string> names_;
  std::set<std::string> taken_;
  std::map<std::string, std::string> types_;
  std::map<std::string, Number> known_;
};

/// The tables of values by kind.
void write_tables(const Network& network, const std::vector<std::string>& names, Json& graph) {
  auto tensors = Json::object(), booleans = Json::object(), floats = Json::object();
  for (size_t id = 0; id < network.values.size(); ++id) {
    const auto& value = network.values[id];
    if (value.kind == Value::Kind::tensor) tensors[names[id]] = write_tensor_meta(value);
    if (value.kind != Value::Kind::other || value.name.empty()) continue;
    // Python parses these for shape inference only.
    if (value.dtype == c10::ScalarType::Bool) booleans[names[id]] = {{"as_bool", true}};
    if (value.dtype != c10::ScalarType::Bool) floats[names[id]] = {{"as_float", 0.0}};
  }
  graph["tensor_values"] = std::move(tensors);
  graph["sym_bool_values"] = std::move(booleans);
  graph["sym_float_values"] = std::move(floats);
}

}  // namespace

Json write_program(const Network& network) {
  NodeWriter writer(network);
  writer.write_calls();
  const auto context = writer.context();
  auto signature = write_signature(network, context);
  // Written after the outputs, which may be sizes that need nodes.
  Json graph = {{"inputs", signature.inputs},        {"outputs", signature.outputs},
                {"nodes", std::move(writer.nodes_)}, {"sym_int_values", std::move(writer.integers_)},
                {"is_single_tensor_return", false},  {"custom_obj_values", Json::object()}};
  write_tables(network, context.names, graph);
  for (auto& [name, meta] : signature.alias_values.items()) graph["tensor_values"][name] = meta;
  Json ranges = Json::object();
  for (const auto& [symbol, range] : network.ranges)
    ranges[symbol] = {{"min_val", range.minimum},
                      {"max_val", range.maximum ? Json(*range.maximum) : Json(nullptr)}};
  return {{"graph_module",
           {{"graph", std::move(graph)},
            {"signature", signature.specs},
            {"module_call_graph", write_module_call_graph(network)},
            {"metadata", Json::object()},
            {"treespec_namedtuple_fields", Json::object()}}},
          {"opset_version", {{"aten", 10}}},
          {"range_constraints", ranges},
          {"schema_version", {{"major", 8}, {"minor", 20}}},
          {"verifiers", {"TRAINING"}},
          {"torch_version", TORCH_VERSION},
          {"guards_code", Json::array()}};
}

}  // namespace inn::pt2
