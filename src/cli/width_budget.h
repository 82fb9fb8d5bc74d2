#pragma once
// Widths that a command finds for a budget.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/measuring.h"
#include "cli/model_source.h"
#include "cli/width_choice.h"

namespace CLI {
class App;
}

namespace inn::cli {

struct BudgetOptions {
  std::string text = {};  // "macs=0.5"; empty: none
  std::filesystem::path latency_table = {};
};

/// Declares --budget and --latency-table.
void add_budget_options(CLI::App& app, BudgetOptions& options);

/// Throws UsageError for a budget that is none, beside --keep or without calibration images, and for a table
/// without a budget of latency.
void check(const BudgetOptions& options, const WidthChoice& widths, bool has_calibration);

/// Returns `widths` with the width of each of its groups (--groups, without --exclude) that is best within
/// the budget, by the curves of the output's error on the images; limits hold. Widths that are given by name
/// stay. Where the budget is one of latency, the table is read from its file, or measured and written there,
/// and the widths are chosen again until the network's own latency is within it.
WidthChoice within_budget(const BudgetOptions& options, const Model& model, const WidthChoice& widths,
                          const MeasuringImages& images, uint64_t seed, bool progress);

}  // namespace inn::cli
