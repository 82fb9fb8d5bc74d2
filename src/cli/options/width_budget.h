#pragma once
// Options of budgets.

#include <cstdint>
#include <filesystem>
#include <string>

#include "inn/budget/budget.h"
#include "options/width_choice.h"

namespace CLI {
class App;
}

namespace inn::cli {

struct BudgetOptions {
  std::string text = {};  // "macs=0.5"; empty: none
  std::filesystem::path latency_table = {};
  int64_t rechecks = 4;
};

/// Declares --recheck: how often the curves are corrected by networks in which all groups are cut.
void add_recheck_option(CLI::App& app, int64_t& rechecks);

/// Declares --budget, --latency-table and --recheck.
void add_budget_options(CLI::App& app, BudgetOptions& options);

/// Throws UsageError for an invalid budget, a budget with --keep or without calibration data, and a table
/// without a latency budget.
void check(const BudgetOptions& options, const WidthChoice& widths, bool has_calibration);

/// Returns the budget. Throws UsageError for an invalid one.
Budget budget_of(const BudgetOptions& options);

}  // namespace inn::cli
