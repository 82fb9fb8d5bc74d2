#include "network_graph.h"

#include <algorithm>
#include <set>

namespace inn {
namespace {

bool gives_tensor(const Network& network, const Call& call) {
  for (const auto& result : call.results)
    for (const auto id : result.values)
      if (network.values[id].kind == Value::Kind::tensor) return true;
  return false;
}

/// "layer1.0" for "layer1.0.conv1" at depth 2.
std::string outer_module(const std::string& module, size_t depth) {
  size_t end = 0;
  for (size_t part = 0; part < depth; ++part) {
    end = module.find('.', end + (part > 0 ? 1 : 0));
    if (end == std::string::npos) return module;
  }
  return module.substr(0, end);
}

/// Runs of neighbouring calls whose modules are one at that depth. Merging neighbours in the order of the
/// calls makes no cycle. A call without a module joins those before it.
std::vector<NetworkGraph::Node> runs_of_modules(const Network& network, const std::vector<size_t>& calls,
                                                size_t depth) {
  std::vector<NetworkGraph::Node> nodes;
  for (const auto index : calls) {
    const auto module = outer_module(network.calls[index].module, depth);
    const bool joins = !nodes.empty() && (module.empty() || nodes.back().title == module);
    if (!joins) nodes.push_back({.title = module, .calls = {}, .leaving = {}});
    nodes.back().calls.push_back(index);
  }
  return nodes;
}

std::vector<NetworkGraph::Node> nodes_of_calls(const Network& network, const std::vector<size_t>& calls) {
  std::vector<NetworkGraph::Node> nodes;
  for (const auto index : calls) {
    const auto& call = network.calls[index];
    std::string title = call.module;
    for (const auto& result : call.results)
      if (title.empty() && !result.values.empty()) title = network.values[result.values.front()].name;
    nodes.push_back({.title = std::move(title), .calls = {index}, .leaving = {}});
  }
  return nodes;
}

std::vector<NetworkGraph::Node> nodes_within(const Network& network, size_t most_nodes) {
  std::vector<size_t> calls;
  size_t deepest = 1;
  for (size_t c = 0; c < network.calls.size(); ++c) {
    const auto& call = network.calls[c];
    if (!gives_tensor(network, call)) continue;
    calls.push_back(c);
    const auto dots = std::count(call.module.begin(), call.module.end(), '.');
    deepest = std::max(deepest, static_cast<size_t>(dots) + 1);
  }
  if (calls.size() <= most_nodes) return nodes_of_calls(network, calls);
  for (size_t depth = deepest; depth > 1; --depth) {
    auto nodes = runs_of_modules(network, calls, depth);
    if (nodes.size() <= most_nodes) return nodes;
  }
  return runs_of_modules(network, calls, 1);
}

}  // namespace

NetworkGraph graph_of(const Network& network, int64_t most_nodes) {
  NetworkGraph graph;
  std::vector<std::optional<size_t>> maker(network.values.size());
  for (const auto input : network.inputs) {
    maker[input] = graph.nodes.size();
    graph.nodes.push_back({NetworkGraph::Node::Kind::input, network.values[input].name, {}, {}});
  }
  std::set<NetworkGraph::Edge> edges;
  const auto read = [&](ValueId value, size_t node) {
    const bool tensor = network.values[value].kind == Value::Kind::tensor;
    if (tensor && maker[value] && *maker[value] != node) edges.insert({*maker[value], node, value});
  };
  for (auto& node : nodes_within(network, static_cast<size_t>(most_nodes))) {
    const size_t place = graph.nodes.size();
    for (const auto index : node.calls) {
      const auto& call = network.calls[index];
      for (const auto& argument : call.arguments)
        argument.for_each_value([&](ValueId value) { read(value, place); });
      for (const auto& result : call.results)
        for (const auto value : result.values) maker[value] = place;
    }
    graph.nodes.push_back(std::move(node));
  }
  for (size_t k = 0; k < network.outputs.size(); ++k) {
    const size_t place = graph.nodes.size();
    graph.nodes.push_back({NetworkGraph::Node::Kind::output, fmt::format("output {}", k), {}, {}});
    network.outputs[k].for_each_value([&](ValueId value) { read(value, place); });
  }
  graph.edges.assign(edges.begin(), edges.end());
  std::set<std::pair<size_t, ValueId>> leaving;
  for (const auto& edge : graph.edges)
    if (leaving.emplace(edge.from, edge.value).second) graph.nodes[edge.from].leaving.push_back(edge.value);
  return graph;
}

}  // namespace inn
