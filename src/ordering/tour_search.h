#pragma once
// Search for a short tour: sequential 3-opt moves from neighbour lists, and local double bridges.

#include <array>
#include <cstdint>
#include <vector>

#include "inn/core/random.h"
#include "tour.h"

namespace inn {

/// Distances of a tour's nodes. The last node, `free_node`, is at distance 0 from all others: where the tour passes it,
/// the path that is looked for begins and ends.
class TourCosts {
 public:
  using Node = Tour::Node;
  struct Neighbor {
    Node node;
    float cost;
  };

  /// costs: row-major, `nodes`² entries, symmetric, none negative, the last row and column 0.
  TourCosts(Node nodes, std::vector<float> costs);

  Node size() const { return nodes_; }
  Node free_node() const { return nodes_ - 1; }
  float operator()(Node a, Node b) const { return costs_[static_cast<size_t>(a) * static_cast<size_t>(nodes_) + static_cast<size_t>(b)]; }
  /// The nodes nearest to `node`, the nearest first; none for the free node.
  const Neighbor* begin(Node node) const { return neighbors_.data() + starts_[static_cast<size_t>(node)]; }
  const Neighbor* end(Node node) const { return neighbors_.data() + starts_[static_cast<size_t>(node) + 1]; }
  double largest() const { return largest_; }

 private:
  void find_neighbors();

  Node nodes_;
  std::vector<float> costs_;
  std::vector<Neighbor> neighbors_;
  std::vector<size_t> starts_;
  double largest_ = 0;
};

/// Iterated local search: disturb a place of the tour, repair it by improving moves, go back where the result is longer.
///
/// The moves are all sequential exchanges of two or three edges whose partial gains are positive (Lin, Kernighan, "An
/// effective heuristic algorithm for the TSP", Operations Research 1973), found from the nodes near to each end; nodes
/// whose surroundings did not change are not looked at (Bentley's don't-look bits). The disturbance is the double bridge
/// (Martin, Otto, Felten 1991) of three neighbouring short segments, so a step costs the same at every size.
class TourSearch {
 public:
  using Node = Tour::Node;

  TourSearch(const TourCosts& costs, std::vector<Node> start, uint64_t seed);

  /// Improves the tour until no move does.
  void descend();
  /// Disturbs and repairs once. Never makes the tour longer.
  void step();

  const Tour& tour() const { return tour_; }

 private:
  struct Move {
    double gain = 0;
    enum class Kind { none, two, three, segments_mirrored, segments_moved } kind = Kind::none;
    std::array<Node, 6> t{};
  };

  bool improve(Node node);
  void search_from(Node t1, Node t2, bool forward, Move& best) const;
  void search_valid(const std::array<Node, 4>& t, bool forward, double gain, Move& best) const;
  void search_invalid(const std::array<Node, 4>& t, bool forward, double gain, Move& best) const;
  void apply(const Move& move);
  void exchange(Node a, Node b, Node c, Node d);
  double double_bridge();
  double repair();
  void wake(Node node);

  Node after(Node node, bool forward) const { return forward ? tour_.next(node) : tour_.previous(node); }

  const TourCosts& costs_;
  Tour tour_;
  Random random_;
  double least_gain_;  // below it a gain is rounding
  std::vector<std::array<Node, 4>> exchanges_;  // since the last disturbance
  std::vector<Node> queue_;                     // nodes to look at, each at most once
  std::vector<char> queued_;
  double gained_ = 0;
};

}  // namespace inn
