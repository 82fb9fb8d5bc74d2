#include "inn/budget/budget.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "inn/core/error.h"

namespace inn {
namespace {

// A group of more channels is cut by more than one at a time.
constexpr int64_t kMostSteps = 64;

/// Reads "20M", "5ms": a number and the factor of its unit; no unit: a fraction.
struct Amount {
  double value;
  bool has_unit;
};

std::optional<Amount> parse_amount(const std::string& text, const std::map<std::string, double>& units) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || !std::isfinite(value) || value <= 0) return {};
  const std::string unit(end, text.data() + text.size());
  if (unit.empty()) return Amount{value, value > 1};
  const auto found = units.find(unit);
  if (found == units.end()) return {};
  return Amount{value * found->second, true};
}

/// A group on its way down.
struct Descent {
  GroupId id;
  const ErrorCurve& curve;
  std::vector<int64_t> widths;  // that it may have, from its source width down
  size_t place = 0;
  double worth = std::numeric_limits<double>::infinity();  // error for what is saved, of the best next step
  size_t next = 0;

  double error(int64_t width) const { return read_linearly(curve, width); }
};

/// The curve with an end at the source width, never rising with the width.
ErrorCurve monotone(const ErrorCurve& curve, int64_t source_width) {
  ErrorCurve result = curve;
  result[source_width] = 0;
  double greatest = 0;
  for (auto entry = result.rbegin(); entry != result.rend(); ++entry)
    entry->second = greatest = std::max(greatest, entry->second);
  return result;
}

std::vector<int64_t> allowed_widths(int64_t source_width, const WidthLimits& limits) {
  std::vector<int64_t> widths{source_width};
  const int64_t least = least_width(source_width, limits);
  const int64_t step = limits.round_to * std::max<int64_t>(1, source_width / (kMostSteps * limits.round_to));
  for (int64_t width = source_width - 1; width >= least; --width)
    if (width % step == 0 || (width == least && width % limits.round_to == 0)) widths.push_back(width);
  return widths;
}

class Search {
 public:
  Search(const AnalysedNetwork& source, const std::map<GroupId, ErrorCurve>& curves, const WidthCost& cost,
         const WidthLimits& limits)
      : cost_(cost), widths_(source_widths(source.groups)) {
    for (const auto& [id, curve] : curves) {
      const int64_t n = source.groups.groups.at(id).width;
      curves_.emplace(id, monotone(curve, n));
      descents_.push_back({id, curves_.at(id), allowed_widths(n, limits)});
    }
    for (size_t t = 0; t < cost.terms.size(); ++t)
      for (const auto id : cost.terms[t].groups) terms_of_[id].push_back(t);
    for (auto& descent : descents_) update_next_step(descent);
  }

  /// Goes down until the cost is at most `wanted`; returns whether it came there.
  bool descend(double wanted) {
    while (cost_(widths_) > wanted) {
      Descent* best = nullptr;
      for (auto& descent : descents_)
        if (descent.next > descent.place && (!best || descent.worth < best->worth)) best = &descent;
      if (!best) return false;
      best->place = best->next;
      widths_[best->id] = best->widths[best->place];
      std::set<GroupId> touched{best->id};
      for (const auto t : terms_of_[best->id])
        touched.insert(cost_.terms[t].groups.begin(), cost_.terms[t].groups.end());
      for (auto& descent : descents_)
        if (touched.contains(descent.id)) update_next_step(descent);
    }
    return true;
  }

  /// Gives channels back, those first that win most for what they cost, while the cost stays within `wanted`.
  void fill(double wanted) {
    double cost = cost_(widths_);
    for (;;) {
      Descent* best = nullptr;
      double best_worth = 0, best_cost = 0;
      for (auto& descent : descents_) {
        if (descent.place == 0) continue;
        const int64_t up = descent.widths[descent.place - 1], now = widths_[descent.id];
        const double more = cost_of(descent.id, up) - cost_of(descent.id, now);
        if (cost + more > wanted) continue;
        const double worth = (descent.error(now) - descent.error(up)) / std::max(more, 1e-9);
        if (best && worth <= best_worth) continue;
        best = &descent;
        best_worth = worth;
        best_cost = more;
      }
      if (!best) return;
      --best->place;
      widths_[best->id] = best->widths[best->place];
      cost += best_cost;
    }
  }

  const std::vector<int64_t>& widths() const { return widths_; }

 private:
  /// Finds the next step of the group: of all widths below, where most is saved for the error (the lower hull
  /// of its curve), so that a flat start does not hide a steep end.
  void update_next_step(Descent& descent) {
    descent.next = descent.place;
    descent.worth = std::numeric_limits<double>::infinity();
    const int64_t now = widths_[descent.id];
    const double error = descent.error(now), cost = cost_of(descent.id, now);
    for (size_t k = descent.place + 1; k < descent.widths.size(); ++k) {
      const double saved = cost - cost_of(descent.id, descent.widths[k]);
      if (saved <= 0) continue;
      const double worth = (descent.error(descent.widths[k]) - error) / saved;
      if (worth < descent.worth) {
        descent.worth = worth;
        descent.next = k;
      }
    }
    if (descent.next > descent.place) descent.next = descent.place + 1;
  }

  /// The terms that the group is in, at this width of it.
  double cost_of(GroupId id, int64_t width) {
    const int64_t now = widths_[id];
    widths_[id] = width;
    double sum = 0;
    for (const auto t : terms_of_[id]) sum += cost_.terms[t].cost(widths_);
    widths_[id] = now;
    return sum;
  }

  const WidthCost& cost_;
  std::vector<int64_t> widths_;
  std::map<GroupId, ErrorCurve> curves_;
  std::vector<Descent> descents_;
  std::map<GroupId, std::vector<size_t>> terms_of_;
};

const char* name_of(Budget::Of of) {
  switch (of) {
    case Budget::Of::macs:
      return "multiply-adds";
    case Budget::Of::parameters:
      return "parameters";
    case Budget::Of::latency:
      return "seconds";
    case Budget::Of::memory:
      return "bytes";
    case Budget::Of::agreement:
      return "of agreement";
    case Budget::Of::accuracy:
      return "of accuracy";
  }
  return "";
}

/// Of "accuracy=-1.5": −1.5.
std::optional<double> points_lost(const std::string& text) {
  constexpr std::string_view kKind = "accuracy=-";
  if (!text.starts_with(kKind)) return std::nullopt;
  double points = 0;
  const char *begin = text.data() + kKind.size(), *end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(begin, end, points);
  if (error != std::errc() || stop != end || !(points >= 0 && points <= 100)) return std::nullopt;
  return -points;
}

}  // namespace

Budget Budget::parse(const std::string& text) {
  struct Kind {
    Of of;
    std::map<std::string, double> units;
    bool counts;  // a plain number above 1 is an amount; of seconds and bytes it would be a slip
  };
  const std::map<std::string, double> counts{{"k", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12}};
  static const std::map<std::string, Kind> kinds{
      {"macs", {Of::macs, counts, true}},
      {"params", {Of::parameters, counts, true}},
      {"latency", {Of::latency, {{"us", 1e-6}, {"ms", 1e-3}, {"s", 1}}, false}},
      {"memory", {Of::memory, {{"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}}, false}},
      {"agreement", {Of::agreement, {}, false}},
      {"accuracy", {Of::accuracy, {}, false}}};
  if (const auto lost = points_lost(text)) return {Of::accuracy, *lost, false};
  const auto equals = text.find('=');
  const auto kind = kinds.find(text.substr(0, equals));
  std::optional<Amount> amount;
  if (equals != std::string::npos && kind != kinds.end()) {
    amount = parse_amount(text.substr(equals + 1), kind->second.units);
    if (amount && amount->value > 1 && !kind->second.counts &&
        std::isdigit(static_cast<unsigned char>(text.back())))
      amount.reset();
  }
  require(amount.has_value(), "budget",
          "Budget '{}': must be macs=F, params=F, latency=F, memory=F, agreement=F or accuracy=F with a "
          "fraction F in "
          "(0, 1], an amount such as macs=20M, params=100k, latency=5ms, memory=2MB, or the points of "
          "accuracy that may be "
          "lost, accuracy=-1.",
          text);
  return {kind->second.of, amount->value, !amount->has_unit};
}

WidthsForBudget widths_for_budget(const AnalysedNetwork& source, const std::map<GroupId, ErrorCurve>& curves,
                                  const WidthCost& cost, const Budget& budget, const WidthLimits& limits) {
  check_limits(limits);
  require(!budget.is_quality(), "budget", "Budget: {} is not a cost of widths; inn shrink looks for it.",
          budget.of == Budget::Of::agreement ? "agreement" : "accuracy");
  require(!curves.empty(), "budget", "Budget: no group can be resized.");
  const double source_cost = cost(source_widths(source.groups));
  const double wanted = budget.is_fraction ? budget.amount * source_cost : budget.amount;
  Search search(source, curves, cost, limits);
  const bool met = search.descend(wanted);
  if (met) search.fill(wanted);
  WidthsForBudget result{{}, cost(search.widths()), source_cost};
  require(met, "budget",
          "Budget: {:.4g} {} is not reachable: with every chosen group at its minimum width {:.4g} remain of "
          "{:.4g}.",
          wanted, name_of(budget.of), result.cost, source_cost);
  for (const auto& [id, curve] : curves) result.widths[id] = search.widths()[id];
  return result;
}

}  // namespace inn
