#include "inn/methods/model_budget.h"

#include <algorithm>

#include "inn/core/error.h"
#include "inn/dimension/fraction_groups.h"
#include "inn/methods/model_widths.h"

namespace inn {
namespace {

std::vector<GroupId> groups_of(const AnyModel& model, const AnalysedNetwork& source,
                               const PruneOptions& widths) {
  auto ids = widths.groups.empty() ? learned_groups(source) : source.groups.select(widths.groups);
  if (!widths.exclude.empty()) {
    const auto left_out = source.groups.select(widths.exclude);
    std::erase_if(
        ids, [&](GroupId id) { return std::find(left_out.begin(), left_out.end(), id) != left_out.end(); });
  }
  keep_resizable(model, source, widths, ids);
  for (const auto& [name, width] : widths.widths) std::erase(ids, source.groups.find(name));
  require(!ids.empty(), "methods", "Budget: no group can be resized.");
  return ids;
}

PruneOptions within_budget_of(const AnalysedNetwork& source, const Budget& budget, const PruneOptions& widths,
                              const std::map<GroupId, ErrorCurve>& curves, const Calibration& data,
                              BudgetSearchOptions options) {
  options.limits = widths.limits;
  const auto found = widths_within_budget(source, curves, budget, data, options);
  PruneOptions result = widths;
  result.keep.reset();
  result.groups.clear();
  result.exclude.clear();
  for (const auto& [id, width] : found) result.widths[source.groups.groups[id].name] = width;
  return result;
}

}  // namespace

std::map<GroupId, ErrorCurve> model_error_curves(const AnyModel& model, const PruneOptions& widths,
                                                 const CalibrationData& data, const CurveOptions& options) {
  AnalysedNetwork source = model.source();
  const auto ids = groups_of(model, source, widths);
  source.network.to(data.device);
  return error_curves(source, ids, calibration_of(data, source.network, Measured::activations), options);
}

std::map<GroupId, ErrorCurve> model_error_curves(const AnyModel& model, const PruneOptions& widths,
                                                 const Calibration& data, const CurveOptions& options) {
  const AnalysedNetwork& source = model.source();
  return error_curves(source, groups_of(model, source, widths), data, options);
}

PruneOptions within_budget(const AnyModel& model, const Budget& budget, const PruneOptions& widths,
                           const std::map<GroupId, ErrorCurve>& curves, const CalibrationData& data,
                           BudgetSearchOptions options) {
  AnalysedNetwork source = model.source();
  source.network.to(data.device);
  const auto calibration = calibration_of(data, source.network, Measured::activations);
  return within_budget_of(source, budget, widths, curves, calibration, std::move(options));
}

PruneOptions within_budget(const AnyModel& model, const Budget& budget, const PruneOptions& widths,
                           const std::map<GroupId, ErrorCurve>& curves, const Calibration& data,
                           BudgetSearchOptions options) {
  return within_budget_of(model.source(), budget, widths, curves, data, std::move(options));
}

}  // namespace inn
