#pragma once
// Which calls of a network become one node of its drawing, and what flows between nodes.

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

/// Returns one node for each call that gives a tensor, or, where these are more than `most_nodes`, one for
/// each run of calls of one module: of the deepest modules that give no more nodes, else of the outermost
/// ones. Inputs and outputs are nodes beside them.
NetworkGraph graph_of(const Network& network, int64_t most_nodes);

}  // namespace inn
