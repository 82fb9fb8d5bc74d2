#pragma once
// Choice of widths for a budget, from costs and errors.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "inn/budget/width_cost.h"
#include "inn/dimension/groups.h"
#include "inn/pruning/width_limits.h"

namespace inn {

/// How much a network may cost.
struct Budget {
  /// `memory`: the state and the activations' peak (cost_of), for one sample. Two are no costs but what must hold at the least cost
  /// (inn::shrink): `agreement`, the fraction of samples for which the outputs have the source's argmax, and `accuracy`.
  enum class Of { macs, parameters, latency, memory, agreement, accuracy } of = Of::macs;
  /// Multiply-adds, parameters, seconds or bytes; if is_fraction, a fraction of the source's. Of `accuracy` a fraction of the
  /// samples, or, negative, the percentage points that may be lost.
  double amount = 1;
  bool is_fraction = true;  // then in (0, 1]

  /// Whether it is a quality that must hold, not a cost.
  bool is_quality() const { return of == Of::agreement || of == Of::accuracy; }

  /// Parses "macs=0.5", "macs=20M", "params=100k", "latency=5ms", "latency=0.6", "memory=2MB", "agreement=0.98", "accuracy=-1",
  /// "accuracy=0.9". Throws std::invalid_argument for other texts.
  static Budget parse(const std::string& text);
};

/// The error caused by a group at some widths; 0 at its source width. In any unit that is the same for all
/// groups.
using ErrorCurve = std::map<int64_t, double>;

struct WidthsForBudget {
  std::map<GroupId, int64_t> widths;
  double cost, source_cost;
};

/// Returns widths of the groups of `curves` whose cost is within the budget, with a small sum of errors.
/// Greedily removes the channels with the smallest error increase per unit of cost saved until the budget is
/// met. Curves are made monotone and interpolated linearly. Widths respect `limits`. Throws
/// std::invalid_argument if the budget is not reachable, with the smallest reachable cost.
WidthsForBudget widths_for_budget(const AnalysedNetwork& source, const std::map<GroupId, ErrorCurve>& curves,
                                  const WidthCost& cost, const Budget& budget,
                                  const WidthLimits& limits = {});

}  // namespace inn
