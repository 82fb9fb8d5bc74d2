#include "tour_search.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace inn {
namespace {

using Node = Tour::Node;

#ifndef KN
#define KN 8
#endif
#ifndef KB
#define KB 5
#endif
#ifndef SEG
#define SEG 30
#endif
constexpr size_t kNeighbors = KN;
// The third edge is looked for among fewer, as the gain that may be spent is smaller.
constexpr int64_t kThirdEdge = KB;
constexpr Node kLongestSegment = SEG;
constexpr double kRounding = 1e-7;

}  // namespace

TourCosts::TourCosts(Node nodes, std::vector<float> costs) : nodes_(nodes), costs_(std::move(costs)) {
  largest_ = costs_.empty() ? 0 : *std::max_element(costs_.begin(), costs_.end());
  find_neighbors();
}

void TourCosts::find_neighbors() {
  std::vector<Node> others(static_cast<size_t>(nodes_ - 1));
  starts_.push_back(0);
  for (Node node = 0; node < free_node(); ++node) {
    neighbors_.push_back({free_node(), 0.0F});
    std::iota(others.begin(), others.end(), 0);
    std::swap(others[static_cast<size_t>(node)], others.back());
    const size_t count = std::min(kNeighbors, others.size() - 1);
    const auto nearer = [&](Node a, Node b) {
      return std::pair((*this)(node, a), a) < std::pair((*this)(node, b), b);
    };
    const auto middle = others.begin() + static_cast<std::ptrdiff_t>(count);
    std::partial_sort(others.begin(), middle, others.end() - 1, nearer);
    for (auto other = others.begin(); other != middle; ++other) neighbors_.push_back({*other, (*this)(node, *other)});
    starts_.push_back(neighbors_.size());
  }
  starts_.push_back(neighbors_.size());
}

TourSearch::TourSearch(const TourCosts& costs, std::vector<Node> start, uint64_t seed)
    : costs_(costs),
      tour_(std::move(start)),
      random_(seed),
      least_gain_(costs.largest() * kRounding),
      queued_(static_cast<size_t>(costs.size()), 0) {}

void TourSearch::wake(Node node) {
  char& queued = queued_[static_cast<size_t>(node)];
  if (queued == 0) queue_.push_back(node);
  queued = 1;
}

void TourSearch::exchange(Node a, Node b, Node c, Node d) {
  tour_.exchange(a, b, c, d);
  exchanges_.push_back({a, b, c, d});
}

void TourSearch::descend() {
  for (const Node node : tour_.order()) wake(node);
  repair();
  exchanges_.clear();
}

void TourSearch::step() {
  exchanges_.clear();
  const double lost = double_bridge();
  if (repair() >= lost - least_gain_) return;
  for (auto done = exchanges_.rbegin(); done != exchanges_.rend(); ++done) {
    const auto [a, b, c, d] = *done;
    tour_.exchange(a, d, c, b);
  }
}

double TourSearch::double_bridge() {
  const Node n = tour_.size();
  const Node longest = std::min<Node>(kLongestSegment, (n - 1) / 3);
  const auto draw = [&](Node count) { return static_cast<Node>(random_.below(static_cast<uint32_t>(count))); };
  Node place = draw(n);
  const auto advance = [&](Node by) {
    place = (place + by) % n;
    return tour_.at(place);
  };
  const Node a = tour_.at(place);
  const Node b = advance(1), c = advance(draw(longest));
  const Node d = advance(1), e = advance(draw(longest));
  const Node f = advance(1), g = advance(draw(longest));
  const Node h = advance(1);
  const double before = double{costs_(a, b)} + costs_(c, d) + costs_(e, f) + costs_(g, h);
  // a [b..c][d..e][f..g] h: mirror the whole, then each part.
  exchange(a, b, h, g);
  exchange(a, g, e, f);
  exchange(g, e, c, d);
  exchange(e, c, h, b);
  for (const Node node : {a, b, c, d, e, f, g, h}) wake(node);
  return double{costs_(a, f)} + costs_(g, d) + costs_(e, b) + costs_(c, h) - before;
}

double TourSearch::repair() {
  gained_ = 0;
  for (size_t i = 0; i < queue_.size(); ++i) {
    const Node node = queue_[i];
    queued_[static_cast<size_t>(node)] = 0;
    while (improve(node)) {
    }
  }
  queue_.clear();
  return gained_;
}

bool TourSearch::improve(Node node) {
  Move best;
  for (const bool forward : {true, false}) search_from(node, after(node, forward), forward, best);
  if (best.kind == Move::Kind::none) return false;
  apply(best);
  gained_ += best.gain;
  for (size_t i = 0; i < (best.kind == Move::Kind::two ? 4 : 6); ++i) wake(best.t[i]);
  return true;
}

// Names after Lin and Kernighan: edges (t1,t2), (t3,t4), (t5,t6) go, (t2,t3), (t4,t5), (t6,t1) come. Comments take the
// direction `forward` in which t2 follows t1; the other one is its mirror image.

void TourSearch::search_from(Node t1, Node t2, bool forward, Move& best) const {
  const double first = costs_(t1, t2);
  for (const auto* to = costs_.begin(t2); to != costs_.end(t2); ++to) {
    const Node t3 = to->node;
    const double gain = first - to->cost;
    if (gain <= least_gain_) break;
    if (t3 == t1) continue;
    const Node before = after(t3, !forward), behind = after(t3, forward);
    if (before != t2) search_valid({t1, t2, t3, before}, forward, gain + costs_(t3, before), best);
    search_invalid({t1, t2, t3, behind}, forward, gain + costs_(t3, behind), best);
  }
}

/// t1 [t2 .. t4] t3: closing it by (t4,t1) is a tour, and so is going on as if from t1 [t4 .. t2] t3.
void TourSearch::search_valid(const std::array<Node, 4>& t, bool forward, double gain, Move& best) const {
  const auto [t1, t2, t3, t4] = t;
  const double closed = gain - costs_(t4, t1);
  if (closed > std::max(best.gain, least_gain_)) best = {closed, Move::Kind::two, {t1, t2, t3, t4, 0, 0}};
  const auto* end = std::min(costs_.begin(t4) + kThirdEdge, costs_.end(t4));
  for (const auto* to = costs_.begin(t4); to < end; ++to) {
    const Node t5 = to->node;
    const double left = gain - to->cost;
    if (left <= std::max(best.gain, least_gain_)) break;
    if (t5 == t3 || t5 == t1) continue;
    const bool inside = forward ? tour_.between(t2, t5, t4) : tour_.between(t4, t5, t2);
    const Node t6 = after(t5, inside == forward);
    if (t6 == t4) continue;
    const double total = left + costs_(t5, t6) - costs_(t6, t1);
    if (total > std::max(best.gain, least_gain_)) best = {total, Move::Kind::three, {t1, t2, t3, t4, t5, t6}};
  }
}

/// t1 [t2 .. t3] t4: (t2,t3) closes the part into a ring, which (t4,t5) and (t6,t1) open again at any edge (t5,t6) of it.
void TourSearch::search_invalid(const std::array<Node, 4>& t, bool forward, double gain, Move& best) const {
  const auto [t1, t2, t3, t4] = t;
  const auto* end = std::min(costs_.begin(t4) + kThirdEdge, costs_.end(t4));
  for (const auto* to = costs_.begin(t4); to < end; ++to) {
    const Node t5 = to->node;
    const double left = gain - to->cost;
    if (left <= std::max(best.gain, least_gain_)) break;
    if (t5 == t3 || !(forward ? tour_.between(t2, t5, t3) : tour_.between(t3, t5, t2))) continue;
    const auto consider = [&](Node t6, Move::Kind kind) {
      const double total = left + costs_(t5, t6) - costs_(t6, t1);
      if (total > std::max(best.gain, least_gain_)) best = {total, kind, {t1, t2, t3, t4, t5, t6}};
    };
    consider(after(t5, forward), Move::Kind::segments_moved);
    if (t5 != t2) consider(after(t5, !forward), Move::Kind::segments_mirrored);
  }
}

void TourSearch::apply(const Move& move) {
  const auto [t1, t2, t3, t4, t5, t6] = move.t;
  switch (move.kind) {
    case Move::Kind::none:
      break;
    case Move::Kind::two:
      exchange(t1, t2, t3, t4);
      break;
    case Move::Kind::three:
      exchange(t1, t2, t3, t4);
      exchange(t1, t4, t5, t6);
      break;
    case Move::Kind::segments_mirrored:  // t1 [t2..t6][t5..t3] t4 to t1 [t6..t2][t3..t5] t4
      exchange(t1, t2, t5, t6);
      exchange(t2, t5, t4, t3);
      break;
    case Move::Kind::segments_moved:  // t1 [t2..t5][t6..t3] t4 to t1 [t6..t3][t2..t5] t4
      exchange(t1, t2, t4, t3);
      exchange(t1, t3, t5, t6);
      exchange(t3, t5, t4, t2);
      break;
  }
}

}  // namespace inn
