#include "inn/methods/resample_by.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "inn/core/error.h"
#include "inn/data_quadrature/rotation.h"
#include "inn/dimension/quadrature_buffers.h"
#include "inn/methods/convert_on.h"
#include "inn/methods/distillation_data.h"
#include "inn/model/batch_norm.h"
#include "inn/pruning/importance.h"
#include "inn/resampling/folding.h"
#include "inn/train/evaluate.h"

namespace inn {
namespace {

constexpr const char* kQuadrature = "quadrature";
constexpr const char* kInterpolate = "interpolate";
constexpr const char* kFold = "fold";
constexpr const char* kRotation = "rotation";
constexpr int64_t kRecalibrationBatch = 256;

/// The data for a method, as batches of inputs.
struct Samples {
  std::function<Calibration(const Network&, Measured)> batches;  // for the measurement
  std::function<void(Network&)> recalibrate;                     // measures batch norm on them
  std::function<DistillationData(const Network&)> distillation;
  c10::Device device;
};

Samples samples_of(const CalibrationData& data) {
  return {[&data](const Network& network, Measured needs) { return calibration_of(data, network, needs); },
          [&data](Network& network) {
            inn::recalibrate(network, data.samples,
                             {.batch_size = kRecalibrationBatch,
                              .augmentation = data.augmentation,
                              .normalization = data.normalization});
          },
          [&data](const Network& network) { return distillation_data(data, network); }, data.device};
}

Samples samples_of(const Calibration& data, c10::Device device) {
  return {[&data](const Network&, Measured) { return data; },
          [&data](Network& network) { inn::recalibrate(network, data); },
          [&data](const Network&) { return distillation_data(data); }, device};
}

/// What a method makes of a model: a source and the maps from it.
struct Mapped {
  AnalysedNetwork source;
  std::map<GroupId, GroupMaps> maps;
  ChosenWidths chosen;
  std::vector<GroupReport> groups = {};
};

Mapped interpolated(const AnyModel& model, const AnalysedNetwork& source, ChosenWidths chosen,
                    const MethodOptions& options, const std::optional<Samples>& data) {
  IntegralModel integral{nullptr};
  if (model.is_integral()) {
    integral = IntegralModel(model.integral->clone_model());
  } else {
    ConvertOptions conversion = options.conversion;
    for (const auto& [id, width] : chosen.widths)
      conversion.group_names.push_back(source.groups.groups[id].name);
    integral =
        data ? convert_on(source.network, conversion, data->batches(source.network, Measured::activations))
             : convert_on(source.network, conversion, std::optional<CalibrationData>());
  }
  for (const auto& [id, width] : chosen.widths) integral->group(source.groups.groups[id].name).resize(width);
  return {{integral->network(), integral->structure()}, integral->maps(), std::move(chosen)};
}

Mapped folded(const AnalysedNetwork& source, ChosenWidths chosen, uint64_t seed) {
  // A cluster's sum is its mean times its size; sums without parameters need that factor too.
  Mapped result{add_quadrature_buffers(source,
                                       [&](const UnweightedSum& sum) {
                                         return sum.kind != SumKind::softmax &&
                                                std::any_of(
                                                    sum.groups.begin(), sum.groups.end(),
                                                    [&](GroupId id) { return chosen.widths.contains(id); });
                                       }),
                {},
                std::move(chosen)};
  for (const auto& [id, width] : result.chosen.widths)
    result.maps.emplace(id, folding_maps(channel_clusters(source, id, width, seed)));
  return result;
}

Mapped pruned(const AnyModel& model, PruneOptions choice, const MethodOptions& options,
              const std::optional<Samples>& data) {
  AnalysedNetwork source = model.source();
  if (!choice.unnamed) choice.unnamed = fraction_groups(model, source);
  const Importance importance = options.importance ? *options.importance : find_importance(options.method);
  auto ids = groups_to_prune(source, choice);
  keep_resizable(model, source, choice, ids);

  ImportanceOptions scoring = options.scoring;
  scoring.seed = options.seed;
  if (choice.scope == PruningScope::global && !scoring.normalize) scoring.normalize = "mean";
  if (data && importance.needs != Measured::nothing) {
    scoring.calibration = data->batches(source.network, importance.needs);
    source.network.to(data->device);
  }
  const auto scores = importance_scores(source, ids, importance, scoring);
  source.network.to(c10::Device(c10::kCPU));
  PrunePlan plan = plan_pruning(source, scores, choice);

  auto maps = plan.maps(source.groups);
  Mapped result{std::move(source), std::move(maps), {{}, std::move(plan.notes)}};
  for (const auto& [id, kept] : plan.kept) result.chosen.widths[id] = static_cast<int64_t>(kept.size());
  return result;
}

Mapped rotated(AnalysedNetwork source, ChosenWidths chosen, const MethodOptions& options,
               const Samples& data) {
  source.network.to(data.device);
  auto rotation = rotate_streams(source, chosen.widths, data.batches(source.network, Measured::activations),
                                 {.seed = options.seed});
  Mapped result{std::move(rotation.source), std::move(rotation.maps), std::move(chosen)};
  for (const auto& note : result.source.groups.notes) result.chosen.notes.push_back(note);
  for (const auto& [id, error] : rotation.errors) {
    const auto& group = source.groups.groups[id];
    result.groups.push_back({.id = id,
                             .name = group.name,
                             .source_width = group.width,
                             .width = result.chosen.widths.at(id),
                             .nodes = {},
                             .criterion = "principal axes",
                             .error = error});
  }
  return result;
}

Mapped mapped(const AnyModel& model, const PruneOptions& widths, const MethodOptions& options,
              const std::optional<Samples>& data) {
  if (options.importance || is_importance(options.method)) return pruned(model, widths, options, data);
  AnalysedNetwork source = model.source();
  ChosenWidths chosen = chosen_widths(model, source, widths);
  if (options.method == kInterpolate) return interpolated(model, source, std::move(chosen), options, data);
  if (options.method == kFold) return folded(source, std::move(chosen), options.seed);
  if (options.method == kRotation) return rotated(std::move(source), std::move(chosen), options, *data);
  source.network.to(data->device);
  auto found =
      find_nodes(source, chosen.widths, data->batches(source.network, Measured::activations),
                 {.curves = options.curves, .progress = options.nodes_progress}, {.seed = options.seed});
  return {std::move(source), std::move(found.maps), std::move(chosen), std::move(found.groups)};
}

Resampled resample_on(const AnyModel& model, const PruneOptions& widths, const MethodOptions& options,
                      const std::optional<Samples>& data) {
  if (!options.importance) check_method(options.method);
  const std::string name = options.importance ? options.importance->name : options.method;
  require(data || !(options.is_measured() || options.refits()), "methods",
          "Method {}{} requires calibration data.", name, options.is_measured() ? "" : " with refits");
  require(data || options.distill_seconds == 0, "methods", "Distillation requires calibration data.");
  Mapped made = mapped(model, widths, options, data);
  if (data) made.source.network.to(data->device);
  const auto notes = model.source().groups.notes;
  made.chosen.notes.insert(made.chosen.notes.begin(), notes.begin(), notes.end());
  Resampled result{resample(made.source, made.maps, options.untouched), std::move(made.chosen),
                   std::move(made.groups)};
  // Weights of what was not kept are large, and applied; refits ask only which channels were selected.
  for (auto& [id, maps] : made.maps)
    if (maps.produce.kind() == AxisMap::Kind::selection) maps.consume = maps.produce;
  result.network.set_training(false);
  if (data && options.refits()) {
    const auto calibration = data->batches(made.source.network, Measured::activations);
    result.layers = refit(result.network, made.source, made.maps, calibration,
                          {.seed = options.seed, .progress = options.progress, .stop = options.stop});
    if (options.together > 0 && !(options.stop && options.stop()))
      result.together_gain = refit_together(
          result.network, made.source, made.maps, calibration,
          {.steps = options.together, .seed = options.seed, .progress = options.together_progress});
  } else if (data) {
    data->recalibrate(result.network);
  }
  if (options.distill_seconds > 0)
    result.distilled = distill(
        result.network, made.source, made.maps, data->distillation(made.source.network),
        {.seconds = options.distill_seconds, .progress = options.distill_progress, .stop = options.stop});
  result.network.to(c10::Device(c10::kCPU));
  return result;
}

}  // namespace

std::vector<std::string> resampling_methods() {
  std::vector<std::string> names{kQuadrature, kInterpolate, kFold, kRotation};
  for (const auto& importance : importances()) names.push_back(importance.name);
  return names;
}

bool is_importance(const std::string& method) {
  const auto& table = importances();
  return std::any_of(table.begin(), table.end(), [&](const auto& entry) { return entry.name == method; });
}

void check_method(const std::string& method) {
  const auto names = resampling_methods();
  require(std::find(names.begin(), names.end(), method) != names.end(), "methods",
          "Method '{}': no such method.{}", method, nearest_names(method, names));
}

Resampled resample_by(const AnyModel& model, const PruneOptions& widths, const MethodOptions& options,
                      const std::optional<CalibrationData>& data) {
  return resample_on(model, widths, options, data ? std::optional(samples_of(*data)) : std::nullopt);
}

Resampled resample_by(const AnyModel& model, const PruneOptions& widths, const MethodOptions& options,
                      const Calibration& data) {
  const auto& state = model.source().network.state;
  const auto device = state.empty() ? c10::Device(c10::kCPU) : state.front().tensor.device();
  return resample_on(model, widths, options, samples_of(data, device));
}

}  // namespace inn
