#include "resampled.h"

#include <ATen/ATen.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "inn/core/error.h"
#include "inn/pruning/importance.h"
#include "inn/resampling/folding.h"
#include "inn/train/evaluate.h"
#include "options/conversion.h"
#include "options/limits.h"

namespace inn::cli {
namespace {

constexpr const char* kQuadrature = "quadrature";
constexpr const char* kInterpolate = "interpolate";
constexpr const char* kFold = "fold";
constexpr int64_t kRecalibrationBatch = 256;

/// What a method makes of a model: a source and the maps from it.
struct Mapped {
  AnalysedNetwork source;
  std::map<GroupId, GroupMaps> maps;
  ChosenWidths chosen;
  std::vector<GroupReport> groups = {};
};

Mapped interpolated(const Model& model, const AnalysedNetwork& source, ChosenWidths chosen,
                    const MethodOptions& options, const std::optional<MeasuringImages>& images) {
  IntegralModel integral{nullptr};
  if (model.is_integral()) {
    integral = IntegralModel(model.integral->clone_model());
  } else {
    ConvertOptions conversion = options.conversion;
    for (const auto& [id, width] : chosen.widths)
      conversion.group_names.push_back(source.groups.groups[id].name);
    integral = converted(source.network, conversion, images);
  }
  for (const auto& [id, width] : chosen.widths) integral->group(source.groups.groups[id].name).resize(width);
  return {{integral->network(), integral->structure()}, integral->maps(), std::move(chosen)};
}

Mapped folded(const AnalysedNetwork& source, ChosenWidths chosen, uint64_t seed) {
  Mapped result{source, {}, std::move(chosen)};
  for (const auto& [id, width] : result.chosen.widths)
    result.maps.emplace(id, folding_maps(channel_clusters(source, id, width, seed)));
  return result;
}

Mapped mapped(const Model& model, const WidthChoice& widths, const MethodOptions& options,
              const std::optional<MeasuringImages>& images) {
  AnalysedNetwork source = model.source();
  if (is_importance(options.method)) {
    auto pruned = pruned_maps(model, options.method, widths, options.pruning, images, options.seed);
    return {std::move(source), std::move(pruned.maps), std::move(pruned.chosen)};
  }
  ChosenWidths chosen = widths_of(model, source, widths);
  if (options.method == kInterpolate) return interpolated(model, source, std::move(chosen), options, images);
  if (options.method == kFold) return folded(source, std::move(chosen), options.seed);
  source.network.to(images->device);
  auto found =
      find_nodes(source, chosen.widths, calibration_of(*images, source.network, Measured::activations),
                 {.curves = options.curves}, {.seed = options.seed});
  return {std::move(source), std::move(found.maps), std::move(chosen), std::move(found.groups)};
}

}  // namespace

std::vector<std::string> resampling_methods() {
  std::vector<std::string> names{kQuadrature, kInterpolate, kFold};
  for (const auto& importance : importances()) names.push_back(importance.name);
  return names;
}

bool is_importance(const std::string& method) {
  const auto& table = importances();
  return std::any_of(table.begin(), table.end(), [&](const auto& entry) { return entry.name == method; });
}

void add_together_option(CLI::App& app, int64_t& together) {
  app.add_option("--together", together,
                 "Number of joint Gauss-Newton steps over all layers after the per-layer refits: slower, "
                 "more accurate for strong cuts")
      ->check(at_least(0))
      ->capture_default_str();
}

void check_method(const std::string& method) {
  const auto names = resampling_methods();
  require(std::find(names.begin(), names.end(), method) != names.end(), "cli",
          "Method '{}': no such method.{}", method, nearest_names(method, names));
}

Resampled resampled(const Model& model, const WidthChoice& widths, const MethodOptions& options,
                    const std::optional<MeasuringImages>& images) {
  check_method(options.method);
  require(images || (options.method != kQuadrature && !options.refits()), "cli",
          "Method {}{} requires --calibration.", options.method,
          options.refits() && options.method != kQuadrature ? " with --refit" : "");
  Mapped made = mapped(model, widths, options, images);
  if (images) made.source.network.to(images->device);
  Resampled result{resample(made.source, made.maps), std::move(made.chosen), std::move(made.groups)};
  result.network.set_training(false);
  if (images && options.refits()) {
    const auto data = calibration_of(*images, made.source.network, Measured::activations);
    result.layers = refit(result.network, made.source, made.maps, data,
                          {.seed = options.seed, .progress = options.progress});
    if (options.together > 0)
      result.together_gain = refit_together(
          result.network, made.source, made.maps, data,
          {.steps = options.together, .seed = options.seed, .progress = options.together_progress});
  } else if (images) {
    recalibrate(result.network, images->images,
                {.batch_size = kRecalibrationBatch,
                 .augmentation = images->augmentation,
                 .normalization = images->normalization});
  }
  result.network.to(c10::Device(c10::kCPU));
  return result;
}

}  // namespace inn::cli
