#include <algorithm>
#include <limits>
#include <utility>

#include "tour_search.h"

namespace inn {
namespace {

// Fewer miss moves, more cost more time than they are worth.
constexpr std::size_t kNeighbors = 8;

}  // namespace

TourCosts::TourCosts(const float* costs, Node nodes) : costs_(costs), free_node_(nodes) {
  find_neighbors();
  place_free_node();
}

void TourCosts::find_neighbors() {
  const Node nodes = free_node_;
  const auto count = std::min(kNeighbors, static_cast<std::size_t>(nodes - 1));
  std::vector<Neighbor> nearest;  // the nearest first, of equal ones the first
  for (Node node = 0; node < nodes; ++node) {
    starts_.push_back(neighbors_.size());
    const float* costs = row(node);
    nearest.assign(count, {nodes, std::numeric_limits<float>::infinity()});
    for (Node other = 0; other < nodes; ++other) {
      if (other == node) continue;
      largest_ = std::max(largest_, costs[other]);
      if (!(costs[other] < nearest.back().cost)) continue;
      std::size_t place = count - 1;
      for (; place > 0 && costs[other] < nearest[place - 1].cost; --place)
        nearest[place] = nearest[place - 1];
      nearest[place] = {other, costs[other]};
    }
    neighbors_.insert(neighbors_.end(), nearest.begin(), nearest.end());
    spread_ += (nearest.back().cost - nearest.front().cost) / static_cast<double>(nodes);
  }
  starts_.push_back(neighbors_.size());
  starts_.push_back(neighbors_.size());
}

void TourCosts::place_free_node() {
  const Node nodes = free_node_;
  double sum = 0;
  for (Node node = 0; node < nodes; ++node) sum += begin(node)[(end(node) - begin(node)) / 2].cost;
  const float away = free_cost_ = static_cast<float>(sum / nodes);
  for (Node node = 0; node < nodes; ++node) {
    Neighbor* last = neighbors_.data() + starts_[static_cast<std::size_t>(node) + 1];
    Neighbor* first = neighbors_.data() + starts_[static_cast<std::size_t>(node)];
    Neighbor* place = std::find_if(first, last, [away](const Neighbor& other) { return other.cost > away; });
    if (place == last) continue;
    std::move_backward(place, last - 1, last);
    *place = {nodes, away};
  }
}

}  // namespace inn
