#include "cli/resampled.h"

#include <ATen/ATen.h>

#include "inn/core/error.h"
#include "inn/resampling/importance.h"
#include "inn/resampling/pruning.h"

namespace inn::cli {
namespace {

constexpr const char* kInterpolate = "interpolate";

Network interpolated(const Model& model, const AnalysedNetwork& source,
                     const std::map<GroupId, int64_t>& widths, const ResampleOptions& options) {
  IntegralModel integral{nullptr};
  if (model.is_integral()) {
    integral = IntegralModel(model.integral->clone_model());
  } else {
    ConvertOptions conversion = options.conversion;
    for (const auto& [id, width] : widths) conversion.group_names.push_back(source.groups.groups[id].name);
    integral = convert(source.network, conversion);
  }
  for (const auto& [id, width] : widths) integral->group(source.groups.groups[id].name).resize(width);
  return integral->discretize();
}

Network selected(const AnalysedNetwork& source, const std::map<GroupId, int64_t>& widths,
                 const ResampleOptions& options) {
  PruneOptions exact;
  std::vector<GroupId> ids;
  for (const auto& [id, width] : widths) {
    exact.widths[source.groups.groups[id].name] = width;
    ids.push_back(id);
  }
  const auto scores = importance_scores(source, ids, find_importance(options.method), {.seed = options.seed});
  return resample(source, plan_pruning(source, scores, exact).maps(source.groups));
}

}  // namespace

std::vector<std::string> resampling_methods() {
  std::vector<std::string> names{kInterpolate};
  for (const auto& importance : importances()) names.push_back(importance.name);
  return names;
}

bool is_importance(const std::string& method) {
  const auto& table = importances();
  return std::any_of(table.begin(), table.end(), [&](const auto& entry) { return entry.name == method; });
}

void check_method(const std::string& method) {
  const auto names = resampling_methods();
  require(std::find(names.begin(), names.end(), method) != names.end(), "cli",
          "Method '{}': there is no such method.{}", method, nearest_names(method, names));
}

Network resampled(const Model& model, const std::map<GroupId, int64_t>& widths,
                  const ResampleOptions& options) {
  check_method(options.method);
  const AnalysedNetwork source = model.source();
  Network network = options.method == kInterpolate ? interpolated(model, source, widths, options)
                                                   : selected(source, widths, options);
  network.set_training(false);
  return network;
}

}  // namespace inn::cli
