#include <algorithm>
#include <numeric>
#include <utility>

#include "tour_search.h"

namespace inn {
namespace {

// Fewer miss moves, more cost more time than they are worth.
constexpr std::size_t kNeighbors = 8;

}  // namespace

TourCosts::TourCosts(const float* costs, Node nodes)
    : size_(nodes + 1), costs_(static_cast<std::size_t>(size_) * static_cast<std::size_t>(size_)) {
  for (Node node = 0; node < nodes; ++node) {
    const float* row = costs + static_cast<std::ptrdiff_t>(node) * nodes;
    std::copy(row, row + nodes, costs_.begin() + static_cast<std::ptrdiff_t>(index(node, 0)));
  }
  largest_ = *std::max_element(costs_.begin(), costs_.end());
  find_neighbors();
  place_free_node();
}

void TourCosts::find_neighbors() {
  const Node nodes = free_node();
  const auto count = std::min(kNeighbors, static_cast<std::size_t>(nodes - 1));
  std::vector<Node> others(static_cast<std::size_t>(nodes));
  for (Node node = 0; node < nodes; ++node) {
    starts_.push_back(neighbors_.size());
    std::iota(others.begin(), others.end(), 0);
    std::swap(others[static_cast<std::size_t>(node)], others.back());
    const auto nearer = [&](Node a, Node b) {
      return std::pair((*this)(node, a), a) < std::pair((*this)(node, b), b);
    };
    const auto middle = others.begin() + static_cast<std::ptrdiff_t>(count);
    std::partial_sort(others.begin(), middle, others.end() - 1, nearer);
    for (auto other = others.begin(); other != middle; ++other)
      neighbors_.push_back({*other, (*this)(node, *other)});
    spread_ += (neighbors_.back().cost - neighbors_[starts_.back()].cost) / static_cast<double>(nodes);
  }
  starts_.push_back(neighbors_.size());
  starts_.push_back(neighbors_.size());
}

void TourCosts::place_free_node() {
  const Node nodes = free_node();
  double sum = 0;
  for (Node node = 0; node < nodes; ++node) sum += begin(node)[(end(node) - begin(node)) / 2].cost;
  const auto away = static_cast<float>(sum / nodes);
  for (Node node = 0; node < nodes; ++node) {
    costs_[index(node, nodes)] = costs_[index(nodes, node)] = away;
    Neighbor* last = neighbors_.data() + starts_[static_cast<std::size_t>(node) + 1];
    Neighbor* first = neighbors_.data() + starts_[static_cast<std::size_t>(node)];
    Neighbor* place = std::find_if(first, last, [away](const Neighbor& other) { return other.cost > away; });
    if (place == last) continue;
    std::move_backward(place, last - 1, last);
    *place = {nodes, away};
  }
}

}  // namespace inn
