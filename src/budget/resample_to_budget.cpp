#include "inn/budget/resample_to_budget.h"

#include "inn/budget/latency_table.h"
#include "inn/budget/width_cost.h"
#include "inn/core/error.h"
#include "inn/cost/cost.h"
#include "inn/dimension/fraction_groups.h"
#include "inn/resampling/maps.h"

namespace inn {
namespace {

// Savings of single groups do not quite add up: so often the widths are chosen again for less.
constexpr int kLatencyTrials = 6;

/// What the network would take at these widths, whichever channels are kept.
double measured_latency(const AnalysedNetwork& source, const std::map<GroupId, int64_t>& widths) {
  std::map<GroupId, GroupMaps> maps;
  for (const auto& [id, width] : widths)
    maps.emplace(id, first_channels(source.groups.groups[id].width, width));
  const Network network = resample(source, maps);
  return measure_latency(network, example_inputs(network, 1)).median;
}

LatencyTable latency_table_of(const AnalysedNetwork& source, const std::map<GroupId, ErrorCurve>& curves,
                              const std::filesystem::path& path) {
  std::vector<GroupId> ids;
  for (const auto& [id, curve] : curves) ids.push_back(id);
  if (!path.empty() && std::filesystem::exists(path)) return read_latency_table(path, source.groups, ids);
  LatencyTable table = measure_latencies(source, ids);
  if (!path.empty()) write_latency_table(table, source.groups, path);
  return table;
}

std::map<GroupId, int64_t> within_latency(const AnalysedNetwork& source,
                                          const std::map<GroupId, ErrorCurve>& curves,
                                          const LatencyTable& table, Budget budget,
                                          const WidthLimits& limits) {
  const double wanted = budget.is_fraction ? budget.amount * table.source : budget.amount;
  budget.is_fraction = false;
  budget.amount = wanted;
  for (int trial = 0;; ++trial) {
    const auto found = widths_for_budget(source, curves, latency_cost(table), budget, limits);
    const double now = measured_latency(source, found.widths);
    if (now <= wanted || trial + 1 == kLatencyTrials) return found.widths;
    budget.amount *= wanted / now;
  }
}

/// Returns what chooses widths within the budget by curves.
ChooseWidths choosing(const AnalysedNetwork& source, const std::map<GroupId, ErrorCurve>& curves,
                      const Budget& budget, const WidthLimits& limits, const std::filesystem::path& table) {
  if (budget.of == Budget::Of::latency)
    return [&source, budget, limits, latencies = latency_table_of(source, curves, table)](const auto& now) {
      return within_latency(source, now, latencies, budget, limits);
    };
  const auto cost = budget.of == Budget::Of::macs ? multiply_add_cost(source) : parameter_cost(source);
  return [&source, budget, limits, cost](const auto& now) {
    return widths_for_budget(source, now, cost, budget, limits).widths;
  };
}

}  // namespace

std::map<GroupId, int64_t> widths_within_budget(const AnalysedNetwork& source,
                                                const std::map<GroupId, ErrorCurve>& curves,
                                                const Budget& budget, const Calibration& calibration,
                                                const BudgetSearchOptions& options) {
  require(!curves.empty(), "budget", "Budget: no group can be resized.");
  const auto choose = choosing(source, curves, budget, options.limits, options.latency_table);
  if (options.rechecks == 0) return choose(curves);
  CurveOptions measuring = options.curves;
  measuring.progress = options.recheck_progress;
  return choose_jointly(source, curves, choose, calibration, options.rechecks, measuring).widths;
}

DataQuadrature resample_to_budget(const AnalysedNetwork& source, const Budget& budget,
                                  const Calibration& calibration, const std::vector<GroupId>& groups,
                                  const BudgetSearchOptions& search,
                                  const DataQuadratureOptions& resampling) {
  const auto ids = groups.empty() ? learned_groups(source) : groups;
  const auto curves = error_curves(source, ids, calibration, search.curves);
  const auto widths = widths_within_budget(source, curves, budget, calibration, search);
  return resample(source, widths, calibration, resampling);
}

}  // namespace inn
