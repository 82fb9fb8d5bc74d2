#include "cli/resampled.h"

#include <ATen/ATen.h>

#include "inn/core/error.h"
#include "inn/resampling/importance.h"

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
  const auto& importance = find_importance(options.method);
  std::map<GroupId, GroupMaps> maps;
  for (const auto& [id, width] : widths) {
    const auto& group = source.groups.groups[id];
    require(width <= group.width, "cli",
            "Group '{}': with method {} its width must be in [1, {}] but got {}.", group.name, options.method,
            group.width, width);
    maps.emplace(
        id, selection_maps(group.width, most_important(importance.score(source, id, options.seed), width)));
  }
  return resample(source, maps);
}

}  // namespace

std::vector<std::string> resampling_methods() {
  std::vector<std::string> names{kInterpolate};
  for (const auto& importance : importances()) names.push_back(importance.name);
  return names;
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
