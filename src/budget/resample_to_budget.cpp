#include "inn/budget/resample_to_budget.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>

#include "inn/budget/latency_table.h"
#include "inn/budget/width_cost.h"
#include "inn/core/error.h"
#include "inn/cost/cost.h"
#include "inn/dimension/fraction_groups.h"
#include "inn/resampling/maps.h"
#include "memory_model.h"

namespace inn {
namespace {

// Savings of single groups do not quite add up: so often the widths are chosen again for less.
constexpr int kLatencyTrials = 6;
// Of the choice for a budget of memory: how often the means are moved, and how far.
constexpr int kMemoryTrials = 24;
constexpr double kMemoryRate = 2;

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

/// The curves' sum at these widths.
double error_of(const std::map<GroupId, ErrorCurve>& curves, const std::map<GroupId, int64_t>& widths) {
  double sum = 0;
  for (const auto& [id, width] : widths) sum += read_linearly(curves.at(id), width);
  return sum;
}

/// Chooses by means over moments, and moves these to the moments where too much is live (multiplicative weights).
/// Returns the widths of the least error among those whose peak is within the budget.
std::map<GroupId, int64_t> within_memory(const AnalysedNetwork& source,
                                         const std::map<GroupId, ErrorCurve>& curves,
                                         const MemoryModel& model, Budget budget, const WidthLimits& limits) {
  const auto all = source_widths(source.groups);
  const double wanted = budget.is_fraction ? budget.amount * model.peak(all) : budget.amount;
  budget.is_fraction = false;
  std::vector<double> shares = model.activations(all);
  const auto normalize = [&] {
    double sum = 0;
    for (const double share : shares) sum += share;
    for (double& share : shares) share /= std::max(sum, 1e-300);
  };
  std::optional<std::map<GroupId, int64_t>> best;
  double best_error = 0, least = std::numeric_limits<double>::infinity();
  budget.amount = wanted;
  for (int trial = 0; trial < kMemoryTrials; ++trial) {
    normalize();
    const auto found = widths_for_budget(source, curves, model.mean(shares), budget, limits);
    auto widths = all;
    for (const auto& [id, width] : found.widths) widths[static_cast<size_t>(id)] = width;
    const double peak = model.peak(widths), error = error_of(curves, found.widths);
    least = std::min(least, peak);
    if (peak <= wanted && (!best || error < best_error)) {
      best = found.widths;
      best_error = error;
    }
    const auto live = model.activations(widths);
    const double most = live.empty() ? 1 : *std::max_element(live.begin(), live.end());
    for (size_t m = 0; m < shares.size(); ++m)
      shares[m] *= std::exp(kMemoryRate * live[m] / std::max(most, 1.0));
    // A mean is never above the peak, so that less is asked for where they do not meet.
    if (!best && trial >= kMemoryTrials / 2) budget.amount *= std::min(1.0, wanted / peak);
  }
  require(best.has_value(), "budget",
          "Budget: {:.4g} bytes of memory were not reached; the least that was found is {:.4g} of {:.4g}.",
          wanted, least, model.peak(all));
  return *best;
}

/// Returns what chooses widths within the budget by curves.
ChooseWidths choosing(const AnalysedNetwork& source, const std::map<GroupId, ErrorCurve>& curves,
                      const Budget& budget, const WidthLimits& limits, const std::filesystem::path& table) {
  if (budget.of == Budget::Of::latency)
    return [&source, budget, limits, latencies = latency_table_of(source, curves, table)](const auto& now) {
      return within_latency(source, now, latencies, budget, limits);
    };
  if (budget.of == Budget::Of::memory)
    return [&source, budget, limits, model = std::make_shared<const MemoryModel>(source)](const auto& now) {
      return within_memory(source, now, *model, budget, limits);
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
