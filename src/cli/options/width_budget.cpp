#include "options/width_budget.h"

#include <CLI/CLI.hpp>

#include "inn/core/error.h"
#include "options/limits.h"
#include "options/usage_error.h"

namespace inn::cli {

void add_budget_options(CLI::App& app, BudgetOptions& options) {
  app.add_option("--budget", options.text,
                 "Choose widths for this cost, instead of --keep: macs, params or latency as a fraction of "
                 "the source (macs=0.5) or an amount (params=100k, latency=5ms); requires --calibration")
      ->type_name("KIND=F");
  app.add_option("--latency-table", options.latency_table,
                 "Cache of latencies measured on this machine: read if the file exists, else written")
      ->type_name("FILE.json");
  add_recheck_option(app, options.rechecks);
}

void add_recheck_option(CLI::App& app, int64_t& rechecks) {
  app.add_option(
         "--recheck", rechecks,
         "Refinement rounds: measure the error with all groups cut, and select widths again for error "
         "curves tilted by depth (each round refits one network)")
      ->check(at_least(0))
      ->capture_default_str();
}

void check(const BudgetOptions& options, const WidthChoice& widths, bool has_calibration) {
  require<UsageError>(options.latency_table.empty() || options.text.starts_with("latency"), "cli",
                      "--latency-table requires --budget latency=…");
  if (options.text.empty()) return;
  budget_of(options);
  require<UsageError>(!widths.keep && widths.keep_of.empty(), "cli",
                      "--budget cannot be combined with --keep or --keep-of.");
  require<UsageError>(has_calibration, "cli", "--budget requires --calibration.");
}

Budget budget_of(const BudgetOptions& options) {
  return as_usage([&] { return Budget::parse(options.text); });
}

}  // namespace inn::cli
