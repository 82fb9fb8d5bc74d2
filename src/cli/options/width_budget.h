#pragma once
// Widths that a command finds for a budget.

#include <filesystem>
#include <map>
#include <string>

#include "inn/budget/budget.h"
#include "measuring.h"
#include "options/model_source.h"
#include "options/width_choice.h"
#include "step_bar.h"

namespace CLI {
class App;
}

namespace inn::cli {

struct BudgetOptions {
  std::string text = {};  // "macs=0.5"; empty: none
  std::filesystem::path latency_table = {};
  int64_t rechecks = 2;
};

/// Declares --recheck: how often the curves are corrected by networks in which all groups are cut.
void add_recheck_option(CLI::App& app, int64_t& rechecks);

/// Declares --budget, --latency-table and --recheck.
void add_budget_options(CLI::App& app, BudgetOptions& options);

/// Throws UsageError for a budget that is none, beside --keep or without calibration images, and for a table
/// without a budget of latency.
void check(const BudgetOptions& options, const WidthChoice& widths, bool has_calibration);

/// Returns the budget. Throws UsageError for a text that is none.
Budget budget_of(const BudgetOptions& options);

/// What the errors of cuts are measured with.
struct CurveMeasuring {
  const Model& model;
  const MeasuringImages& images;
  uint64_t seed;
};

/// Returns the curves of the output's error on the images, of each group that `widths` leaves to a budget
/// (--groups, without --exclude and those that have a width by name). They serve any number of budgets.
std::map<GroupId, ErrorCurve> curves_of(const CurveMeasuring& measuring, const WidthChoice& widths,
                                        const StepCallback& progress);

/// Returns `widths` with the width of each group that has a curve that is best within the budget; limits
/// hold. The curves are corrected `rechecks` times by what the cuts lose together. Widths that are given by
/// name stay. Where the budget is one of latency, the table is read from its file, or measured and written
/// there, and the widths are chosen again until the network's own latency is within it.
WidthChoice within_budget(const Budget& budget, const CurveMeasuring& measuring, const WidthChoice& widths,
                          const std::map<GroupId, ErrorCurve>& curves, int64_t rechecks,
                          const StepCallback& progress, const std::filesystem::path& latency_table = {});

}  // namespace inn::cli
