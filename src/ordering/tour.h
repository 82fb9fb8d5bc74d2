#pragma once
// A closed tour through nodes 0..n-1, stored as an array.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace inn {

/// A cyclic order of nodes with constant-time neighbours. A tour and its mirror image are the same tour.
class Tour {
 public:
  using Node = int32_t;

  explicit Tour(std::vector<Node> order);

  Node size() const { return static_cast<Node>(order_.size()); }
  const std::vector<Node>& order() const { return order_; }
  Node at(Node place) const { return order_[static_cast<std::size_t>(place)]; }
  Node place(Node node) const { return place_[static_cast<std::size_t>(node)]; }
  Node next(Node node) const {
    const Node p = place(node) + 1;
    return at(p == size() ? 0 : p);
  }
  Node previous(Node node) const {
    const Node p = place(node);
    return at(p == 0 ? size() - 1 : p - 1);
  }
  /// Whether b is on the forward path from a to c, inclusive.
  bool between(Node a, Node b, Node c) const {
    const Node pa = place(a), pb = place(b), pc = place(c);
    return pa <= pc ? pa <= pb && pb <= pc : pa <= pb || pb <= pc;
  }

  /// Replaces edges (a,b) and (c,d) by (b,c) and (d,a), where b = next(a) and c = next(d), or both the other
  /// way round. Undone by exchange(a, d, c, b).
  void exchange(Node a, Node b, [[maybe_unused]] Node c, Node d) {
    if (next(a) == b) {
      reverse(b, d);
    } else {
      reverse(d, b);
    }
  }

 private:
  /// Reverses the forward path from a to b, or the rest of the tour if that is shorter.
  void reverse(Node a, Node b);

  std::vector<Node> order_, place_;
};

}  // namespace inn
