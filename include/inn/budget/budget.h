#pragma once
// Widths for a budget: where to cut, by what it costs and what it loses.

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
  enum class Of { macs, parameters, latency } of = Of::macs;
  double amount = 1;        // multiply-adds, parameters or seconds; a part of the source's where is_fraction
  bool is_fraction = true;  // then in (0, 1]

  /// Reads "macs=0.5", "macs=20M", "params=100k", "latency=5ms", "latency=0.6". Throws std::invalid_argument
  /// for other texts.
  static Budget read(const std::string& text);
};

/// The error that a group makes at some of its widths; 0 at its source width. Any unit, the same for all.
using ErrorCurve = std::map<int64_t, double>;

struct WidthsForBudget {
  std::map<GroupId, int64_t> widths;
  double cost, source_cost;
};

/// Returns widths of the groups of `curves` whose cost is within the budget, with a small sum of errors:
/// beginning with all channels, those are taken away that lose least for what they save, until the cost is
/// met. Curves are read linearly between their widths, made monotone. Widths are multiples and have the least
/// that `limits` say. Throws std::invalid_argument where the budget can't be met, naming the smallest cost
/// that can be reached.
WidthsForBudget widths_for_budget(const AnalysedNetwork& source, const std::map<GroupId, ErrorCurve>& curves,
                                  const WidthCost& cost, const Budget& budget,
                                  const WidthLimits& limits = {});

}  // namespace inn
