#include "write_signature.h"

#include <set>

#include "failure.h"
#include "write_values.h"

namespace inn::pt2 {
namespace {

using Kind = StateEntry::Kind;

Json leaf_spec() { return {{"type", nullptr}, {"context", nullptr}, {"children_spec", Json::array()}}; }

Json tuple_spec(const std::vector<Json>& children) {
  return {{"type", "builtins.tuple"}, {"context", "null"}, {"children_spec", children}};
}

Json state_spec(Kind kind, const std::string& name, const std::string& value_name) {
  const Json argument = {{"name", value_name}};
  if (kind == Kind::parameter) return {{"parameter", {{"arg", argument}, {"parameter_name", name}}}};
  if (kind == Kind::constant)
    return {{"tensor_constant", {{"arg", argument}, {"tensor_constant_name", name}}}};
  return {{"buffer", {{"arg", argument}, {"buffer_name", name}, {"persistent", kind == Kind::buffer}}}};
}

/// torch.export puts parameters first, then buffers, then constants.
int rank(Kind kind) { return kind == Kind::parameter ? 0 : kind == Kind::constant ? 2 : 1; }

void write_state(const Network& network, const ArgumentContext& context, WrittenSignature& written) {
  std::vector<const StateEntry*> entries;
  for (const auto& entry : network.state) entries.push_back(&entry);
  std::stable_sort(entries.begin(), entries.end(),
                   [](const auto* a, const auto* b) { return rank(a->kind) < rank(b->kind); });
  std::set<std::string> taken(context.names.begin(), context.names.end());
  for (const auto* entry : entries) {
    const auto& value_name = context.names[entry->value];
    const auto add = [&](const std::string& name, const std::string& as) {
      written.inputs.push_back({{"as_tensor", {{"name", as}}}});
      written.specs["input_specs"].push_back(state_spec(entry->kind, name, as));
    };
    add(entry->name, value_name);
    for (size_t i = 0; i < entry->aliases.size(); ++i) {
      auto name = fmt::format("{}_alias_{}", value_name, i);
      while (!taken.insert(name).second) name += "_";
      add(entry->aliases[i], name);
      written.alias_values[name] = write_tensor_meta(network.values[entry->value]);
    }
  }
}

void write_user_inputs(const Network& network, const ArgumentContext& context, WrittenSignature& written) {
  auto constant = network.signature.constants.begin();
  size_t position = 0;
  const auto write_constants = [&] {
    for (; constant != network.signature.constants.end() && constant->position == position;
         ++constant, ++position) {
      auto value = write_argument(constant->value, nullptr, context);
      written.inputs.push_back(value);
      const auto name = constant->name.empty() ? fmt::format("constant_{}", position) : constant->name;
      written.specs["input_specs"].push_back({{"constant_input", {{"name", name}, {"value", value}}}});
    }
  };
  for (const auto input : network.inputs) {
    write_constants();
    auto value = write_value(input, context);
    written.specs["input_specs"].push_back({{"user_input", {{"arg", value}}}});
    written.inputs.push_back(std::move(value));
    ++position;
  }
  write_constants();
}

std::string written_spec(const Json& spec) { return Json::array({1, spec}).dump(); }

}  // namespace

WrittenSignature write_signature(const Network& network, const ArgumentContext& context) {
  WrittenSignature written;
  written.specs = {{"input_specs", Json::array()}, {"output_specs", Json::array()}};
  write_state(network, context, written);
  write_user_inputs(network, context, written);
  for (const auto& output : network.outputs) {
    auto value = write_argument(output, nullptr, context);
    written.specs["output_specs"].push_back({{"user_output", {{"arg", value}}}});
    written.outputs.push_back(std::move(value));
  }
  return written;
}

std::string in_spec(const Network& network) {
  if (!network.signature.in_spec.empty()) return network.signature.in_spec;
  const std::vector<Json> leaves(network.inputs.size(), leaf_spec());
  const Json keywords = {{"type", "builtins.dict"}, {"context", "[]"}, {"children_spec", Json::array()}};
  return written_spec(tuple_spec({tuple_spec(leaves), keywords}));
}

std::string out_spec(const Network& network) {
  if (!network.signature.out_spec.empty()) return network.signature.out_spec;
  if (network.outputs.size() == 1) return written_spec(leaf_spec());
  return written_spec(tuple_spec(std::vector<Json>(network.outputs.size(), leaf_spec())));
}

Json write_module_call_graph(const Network& network) {
  const auto& names = network.signature.argument_names;
  Json entries = Json::array();
  entries.push_back({{"fqn", ""},
                     {"signature",
                      {{"inputs", Json::array()},
                       {"outputs", Json::array()},
                       {"in_spec", in_spec(network)},
                       {"out_spec", out_spec(network)},
                       {"forward_arg_names", names.empty() ? Json(nullptr) : Json(names)}}}});
  std::set<std::string> modules;
  for (const auto& call : network.calls) {
    for (auto dot = call.module.find('.'); dot != std::string::npos; dot = call.module.find('.', dot + 1))
      modules.insert(call.module.substr(0, dot));
    if (!call.module.empty()) modules.insert(call.module);
  }
  for (const auto& module : modules) entries.push_back({{"fqn", module}, {"signature", nullptr}});
  return entries;
}

}  // namespace inn::pt2
