#include "options/width_budget.h"

#include <CLI/CLI.hpp>

#include "inn/core/error.h"
#include "options/limits.h"
#include "options/usage_error.h"

namespace inn::cli {

void add_budget_options(CLI::App& app, BudgetOptions& options) {
  app.add_option(
         "--budget", options.text,
         "What the network may cost, in place of --keep: macs, params or latency as a fraction of the "
         "source (macs=0.5) or an amount (params=100k, latency=5ms); needs --calibration")
      ->type_name("KIND=F");
  app.add_option("--latency-table", options.latency_table,
                 "Latencies of this machine: read where the file is there, else measured and written")
      ->type_name("FILE.json");
  add_recheck_option(app, options.rechecks);
}

void add_recheck_option(CLI::App& app, int64_t& rechecks) {
  app.add_option(
         "--recheck", rechecks,
         "How often widths are chosen anew by what the cuts lose together; each time as many networks "
         "are refit as groups are cut")
      ->check(at_least(0))
      ->capture_default_str();
}

void check(const BudgetOptions& options, const WidthChoice& widths, bool has_calibration) {
  require<UsageError>(options.latency_table.empty() || options.text.starts_with("latency"), "cli",
                      "--latency-table is for --budget latency=…");
  if (options.text.empty()) return;
  budget_of(options);
  require<UsageError>(!widths.keep && widths.keep_of.empty(), "cli",
                      "--budget finds the widths; --keep and --keep-of exclude it.");
  require<UsageError>(has_calibration, "cli",
                      "--budget is spent by errors measured on data: --calibration is missing.");
}

Budget budget_of(const BudgetOptions& options) {
  return as_usage([&] { return Budget::read(options.text); });
}

}  // namespace inn::cli
