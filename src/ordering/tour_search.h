#pragma once
// Search for a short tour: sequential 3-opt moves from neighbour lists, and local double bridges.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "inn/core/random.h"
#include "tour.h"

namespace inn {

/// The distances between the nodes of a path, plus one node, `free_node`, with the same distance to all
/// others: the path begins and ends where the tour passes it. That distance does not affect comparisons of
/// tours (every tour includes it twice), but makes the free node look like a typical neighbor.
class TourCosts {
 public:
  using Node = Tour::Node;
  struct Neighbor {
    Node node;
    float cost;
  };

  /// costs: row-major, `nodes`² entries, symmetric, non-negative, the diagonal ignored; not copied, so they
  /// must outlive this object. nodes ≥ 3 (a double bridge needs four edges).
  TourCosts(const float* costs, Node nodes);

  /// The number of nodes, the free one included.
  Node size() const { return free_node_ + 1; }
  Node free_node() const { return free_node_; }
  /// Of two different nodes.
  float operator()(Node a, Node b) const {
    return a == free_node_ || b == free_node_ ? free_cost_ : row(a)[b];
  }
  /// The nodes nearest to `node`, the nearest first; none for the free node.
  const Neighbor* begin(Node node) const {
    return neighbors_.data() + starts_[static_cast<std::size_t>(node)];
  }
  const Neighbor* end(Node node) const {
    return neighbors_.data() + starts_[static_cast<std::size_t>(node) + 1];
  }
  float largest() const { return largest_; }
  /// The mean over nodes of the difference in distance between the last and the first neighbor in the list.
  double spread() const { return spread_; }

 private:
  const float* row(Node node) const { return costs_ + static_cast<std::ptrdiff_t>(node) * free_node_; }
  void find_neighbors();
  void place_free_node();

  const float* costs_;
  Node free_node_;
  float free_cost_ = 0;
  std::vector<Neighbor> neighbors_;
  std::vector<std::size_t> starts_;
  float largest_ = 0;
  double spread_ = 0;
};

/// Iterated local search: perturb the tour locally, repair it by improving moves, revert if the result is too
/// long.
///
/// The moves are all sequential exchanges of two or three edges whose partial gains are positive (Lin,
/// Kernighan, "An effective heuristic algorithm for the TSP", Operations Research 1973), found from the nodes
/// near to each end; nodes whose neighborhood did not change are skipped (Bentley's don't-look bits). The
/// perturbation is a double bridge (Martin, Otto, Felten 1991) of edges that random walks reach from one node
/// (Applegate, Cook, Rohe, "Chained Lin-Kernighan for large TSPs", INFORMS JoC 2003). The acceptance
/// tolerance decreases as in simulated annealing.
class TourSearch {
 public:
  using Node = Tour::Node;

  TourSearch(const TourCosts& costs, std::vector<Node> start, uint64_t seed);

  /// Improves the tour until no move does.
  void descend();
  /// Takes steps until `progress`, called before each with their count so far, returns 1.
  void run(const std::function<double(int64_t)>& progress);

  const Tour& tour() const { return tour_; }

 private:
  struct Move {
    double gain = 0;
    enum class Kind { none, two, three, parts_mirrored, parts_moved } kind = Kind::none;
    std::array<Node, 6> t{};
    std::size_t count() const { return kind == Kind::none ? 0 : kind == Kind::two ? 4 : 6; }
  };

  /// Perturbs and repairs once; reverts if the length increased by more than `tolerance`.
  void step(double tolerance);
  /// Applies the best move that starts at an edge of `node` and returns it; none if there is no improvement.
  Move improve(Node node);
  void search_from(Node t1, Node t2, bool forward, Move& best) const;
  void search_tour(const std::array<Node, 4>& t, bool forward, double gain, Move& best) const;
  void search_ring(const std::array<Node, 4>& t, bool forward, double gain, Move& best) const;
  void apply(const Move& move);
  void exchange(Node a, Node b, Node c, Node d);
  Node walk(Node from);
  double double_bridge();
  double repair();
  void wake(Node node);

  bool is_better(double gain, const Move& best) const { return gain > best.gain && gain > least_gain_; }
  Node after(Node node, bool forward) const { return forward ? tour_.next(node) : tour_.previous(node); }

  const TourCosts& costs_;
  Tour tour_;
  Random random_;
  double least_gain_;                           // below it a gain is rounding
  std::vector<std::array<Node, 4>> exchanges_;  // since the last disturbance
  std::vector<Node> queue_;                     // nodes to look at, each at most once
  std::vector<char> queued_;
};

}  // namespace inn
