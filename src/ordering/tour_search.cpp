#include "tour_search.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace inn {
namespace {

using Node = Tour::Node;

// Chosen by the mean length after 32 steps a node, on 1024 random points and on rows of matrices of low rank
// and noise.
constexpr std::ptrdiff_t kThirdEdges = 5;  // number of neighbours tried for the third edge of a move
constexpr int kHops = 2;                   // of the walks to the edges of a double bridge
constexpr double kHeat = 0.3;       // mean loss that is accepted at first, in spreads of a neighbour list
constexpr double kCold = 0.95;      // from this share of the work on no loss is accepted
constexpr double kRounding = 1e-7;  // of the largest cost: gains below are not believed

}  // namespace

TourSearch::TourSearch(const TourCosts& costs, std::vector<Node> start, uint64_t seed)
    : costs_(costs),
      tour_(std::move(start)),
      random_(seed),
      least_gain_(costs.largest() * kRounding),
      queued_(static_cast<std::size_t>(costs.size()), 0) {}

void TourSearch::descend() {
  for (const Node node : tour_.order()) wake(node);
  repair();
}

void TourSearch::run(const std::function<double(int64_t)>& progress) {
  descend();
  double share = 0;
  for (int64_t steps = 0; (share = progress(steps)) < 1; ++steps) {
    const double heat = kHeat * costs_.spread() * std::max(0.0, 1 - share / kCold);
    step(-std::log1p(-random_.uniform()) * heat);
  }
}

void TourSearch::step(double tolerance) {
  exchanges_.clear();
  const double lost = double_bridge();
  if (repair() >= lost - tolerance - least_gain_) return;
  for (auto done = exchanges_.rbegin(); done != exchanges_.rend(); ++done) {
    const auto [a, b, c, d] = *done;
    tour_.exchange(a, d, c, b);
  }
}

void TourSearch::wake(Node node) {
  char& queued = queued_[static_cast<std::size_t>(node)];
  if (queued == 0) queue_.push_back(node);
  queued = 1;
}

void TourSearch::exchange(Node a, Node b, Node c, Node d) {
  tour_.exchange(a, b, c, d);
  exchanges_.push_back({a, b, c, d});
}

Node TourSearch::walk(Node from) {
  for (int hop = 0; hop < kHops; ++hop) {
    const auto* first = costs_.begin(from);
    const auto count = static_cast<uint32_t>(costs_.end(from) - first);
    from = count > 0 ? first[random_.below(count)].node
                     : tour_.at(random_.below(static_cast<uint32_t>(tour_.size())));
  }
  return from;
}

double TourSearch::double_bridge() {
  // Four edges, each named by its first node's place in the tour.
  std::array<Node, 4> places{};
  const auto draw = [this] { return static_cast<Node>(random_.below(static_cast<uint32_t>(tour_.size()))); };
  places[0] = draw();
  const Node center = tour_.at(places[0]);
  for (auto place = places.begin() + 1; place != places.end(); ++place) {
    constexpr int kWalks = 10;  // a few nodes that are near to each other only may not have four places
    int walks = 0;
    do {
      *place = walks++ < kWalks ? tour_.place(walk(center)) : draw();
    } while (std::find(places.begin(), place, *place) != place);
  }
  std::sort(places.begin(), places.end());
  const Node a = tour_.at(places[0]), c = tour_.at(places[1]), e = tour_.at(places[2]),
             g = tour_.at(places[3]);
  const Node b = tour_.next(a), d = tour_.next(c), f = tour_.next(e), h = tour_.next(g);
  // a [b..c][d..e][f..g] h becomes a [f..g][d..e][b..c] h: mirror the whole, then each part.
  exchange(a, b, h, g);
  exchange(a, g, e, f);
  exchange(g, e, c, d);
  exchange(e, c, h, b);
  for (const Node node : {a, b, c, d, e, f, g, h}) wake(node);
  const double before = double{costs_(a, b)} + costs_(c, d) + costs_(e, f) + costs_(g, h);
  return double{costs_(a, f)} + costs_(g, d) + costs_(e, b) + costs_(c, h) - before;
}

double TourSearch::repair() {
  double gained = 0;
  for (std::size_t i = 0; i < queue_.size(); ++i) {
    const Node node = queue_[i];
    queued_[static_cast<std::size_t>(node)] = 0;
    Move move;
    do {
      move = improve(node);
      gained += move.gain;
    } while (move.kind != Move::Kind::none);
  }
  queue_.clear();
  return gained;
}

TourSearch::Move TourSearch::improve(Node node) {
  Move best;
  for (const bool forward : {true, false}) search_from(node, after(node, forward), forward, best);
  apply(best);
  for (std::size_t i = 0; i < best.count(); ++i) wake(best.t[i]);
  return best;
}

// Names after Lin and Kernighan: edges (t1,t2), (t3,t4), (t5,t6) go, (t2,t3), (t4,t5), (t6,t1) come. Comments
// take the direction `forward` in which t2 follows t1; the other one is its mirror image.

void TourSearch::search_from(Node t1, Node t2, bool forward, Move& best) const {
  const double first = costs_(t1, t2);
  for (const auto* to = costs_.begin(t2); to != costs_.end(t2); ++to) {
    const Node t3 = to->node;
    const double gain = first - to->cost;
    if (!is_better(gain, best)) return;
    if (t3 == t1) continue;
    const Node before = after(t3, !forward), behind = after(t3, forward);
    if (before != t2) search_tour({t1, t2, t3, before}, forward, gain + costs_(t3, before), best);
    search_ring({t1, t2, t3, behind}, forward, gain + costs_(t3, behind), best);
  }
}

/// t1 [t2 .. t4] t3: closing it by (t4,t1) is a tour, and so is going on from t1 [t4 .. t2] t3 in the same
/// way.
void TourSearch::search_tour(const std::array<Node, 4>& t, bool forward, double gain, Move& best) const {
  const auto [t1, t2, t3, t4] = t;
  const double closed = gain - costs_(t4, t1);
  if (is_better(closed, best)) best = {closed, Move::Kind::two, {t1, t2, t3, t4, 0, 0}};
  const auto* end = std::min(costs_.begin(t4) + kThirdEdges, costs_.end(t4));
  for (const auto* to = costs_.begin(t4); to < end; ++to) {
    const Node t5 = to->node;
    const double left = gain - to->cost;
    if (!is_better(left, best)) return;
    if (t5 == t3 || t5 == t1) continue;
    const bool inside = forward ? tour_.between(t2, t5, t4) : tour_.between(t4, t5, t2);
    const Node t6 = after(t5, inside == forward);
    if (t6 == t4) continue;
    const double total = left + costs_(t5, t6) - costs_(t6, t1);
    if (is_better(total, best)) best = {total, Move::Kind::three, {t1, t2, t3, t4, t5, t6}};
  }
}

/// t1 [t2 .. t3] t4: (t2,t3) closes the part into a ring, which (t4,t5) and (t6,t1) open again at any edge
/// (t5,t6) of it.
void TourSearch::search_ring(const std::array<Node, 4>& t, bool forward, double gain, Move& best) const {
  const auto [t1, t2, t3, t4] = t;
  const auto* end = std::min(costs_.begin(t4) + kThirdEdges, costs_.end(t4));
  for (const auto* to = costs_.begin(t4); to < end; ++to) {
    const Node t5 = to->node;
    const double left = gain - to->cost;
    if (!is_better(left, best)) return;
    if (t5 == t3 || !(forward ? tour_.between(t2, t5, t3) : tour_.between(t3, t5, t2))) continue;
    const auto consider = [&](Node t6, Move::Kind kind) {
      const double total = left + costs_(t5, t6) - costs_(t6, t1);
      if (is_better(total, best)) best = {total, kind, {t1, t2, t3, t4, t5, t6}};
    };
    consider(after(t5, forward), Move::Kind::parts_moved);
    if (t5 != t2) consider(after(t5, !forward), Move::Kind::parts_mirrored);
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
    case Move::Kind::parts_mirrored:  // t1 [t2..t6][t5..t3] t4 becomes t1 [t6..t2][t3..t5] t4
      exchange(t1, t2, t5, t6);
      exchange(t2, t5, t4, t3);
      break;
    case Move::Kind::parts_moved:  // t1 [t2..t5][t6..t3] t4 becomes t1 [t6..t3][t2..t5] t4
      exchange(t1, t2, t4, t3);
      exchange(t1, t3, t5, t6);
      exchange(t3, t5, t4, t2);
      break;
  }
}

}  // namespace inn
