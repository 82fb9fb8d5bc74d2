#pragma once
// A network within a budget, in one call.

#include <cstdint>
#include <filesystem>
#include <map>
#include <vector>

#include "inn/budget/budget.h"
#include "inn/budget/error_curves.h"
#include "inn/calibration/calibration.h"
#include "inn/data_quadrature/data_quadrature.h"
#include "inn/dimension/groups.h"

namespace inn {

struct BudgetSearchOptions {
  WidthLimits limits = {};
  /// Refinement rounds, each of which refits one network (`choose_jointly`).
  int64_t rechecks = 4;
  /// For latency budgets: the table is read from this file if it exists, else measured and written there.
  std::filesystem::path latency_table = {};
  CurveOptions curves = {};
  /// Called during the refinement rounds.
  std::function<void(int64_t done, int64_t all, const std::string& what)> recheck_progress = nullptr;
};

/// Returns widths of the groups of `curves` within the budget: chosen by the curves (`widths_for_budget`),
/// which are then tilted by depth to the least error of networks in which all groups are cut (`choose_jointly`). For a
/// latency budget, networks at the chosen widths are measured and widths are chosen again until one is within
/// the budget. Throws std::invalid_argument if the budget is not reachable, and std::runtime_error for a
/// corrupt latency table.
std::map<GroupId, int64_t> widths_within_budget(const AnalysedNetwork& source,
                                                const std::map<GroupId, ErrorCurve>& curves,
                                                const Budget& budget, const Calibration& calibration,
                                                const BudgetSearchOptions& options = {});

/// Returns the plain network within the budget: error curves of `groups` (learned_groups where it is
/// empty) are measured on the calibration data, the widths chosen by them, and the network resampled by the
/// quadrature of the data. No labels are used. Throws as `error_curves`, `widths_within_budget` and `resample`
/// do.
DataQuadrature resample_to_budget(const AnalysedNetwork& source, const Budget& budget,
                                  const Calibration& calibration, const std::vector<GroupId>& groups = {},
                                  const BudgetSearchOptions& search = {},
                                  const DataQuadratureOptions& resampling = {});

}  // namespace inn
