#pragma once
// Nodes and edges of the drawing of a network.

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "inn/network/network.h"

namespace inn {

/// The nodes and edges of a drawing. Acyclic, in the order of the calls.
struct NetworkGraph {
  struct Node {
    enum class Kind { input, calls, output } kind = Kind::calls;
    std::string title;             // the module, else the name of what the call gives
    std::vector<size_t> calls;     // indices, in order; none of an input or output
    std::vector<ValueId> leaving;  // tensors that other nodes read
  };
  struct Edge {
    size_t from, to;  // nodes
    ValueId value;
    bool operator<(const Edge& other) const {
      return std::tie(from, to, value) < std::tie(other.from, other.to, other.value);
    }
  };
  std::vector<Node> nodes;
  std::vector<Edge> edges;
};

/// Returns one node per call with a tensor result or, if these are more than `most_nodes`, one per run of
/// calls of a module, at the deepest level of modules that does not exceed it, else of the outermost modules.
/// Inputs and outputs are additional nodes.
NetworkGraph graph_of(const Network& network, int64_t most_nodes);

}  // namespace inn
