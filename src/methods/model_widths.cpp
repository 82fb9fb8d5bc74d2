#include "inn/methods/model_widths.h"

#include <cmath>
#include <set>

#include "inn/core/error.h"
#include "inn/dimension/fraction_groups.h"
#include "inn/grid/distribution.h"

namespace inn {
namespace {

/// The groups of the model that can have another width.
std::set<GroupId> resizable(const AnyModel& model, const AnalysedNetwork& source) {
  std::set<GroupId> ids;
  if (model.is_integral())
    for (const auto& group : model.integral->groups()) ids.insert(group.id());
  else
    for (const auto id : source.groups.select({})) ids.insert(id);
  return ids;
}

}  // namespace

void keep_resizable(const AnyModel& model, const AnalysedNetwork& source, const PruneOptions& options,
                    std::vector<GroupId>& ids) {
  const auto allowed = resizable(model, source);
  for (const auto& [name, width] : options.widths) {
    const GroupId id = source.groups.find(name);
    const auto& group = source.groups.groups[id];
    if (group.pinned)
      raise("methods", "Group '{}': cannot be resized from width {}: {}.", name, group.width, *group.pinned);
    require(allowed.contains(id), "methods", "Group '{}': is not continuous in this integral model.", name);
  }
  std::erase_if(ids, [&](GroupId id) { return !allowed.contains(id); });
  require(!ids.empty(), "methods", "The model has no group that can be resized.");
}

std::vector<GroupId> fraction_groups(const AnyModel& model, const AnalysedNetwork& source) {
  if (!model.is_integral()) return fraction_groups(source);
  std::vector<GroupId> ids;
  for (const auto& group : model.integral->groups())
    if (group.follows_fraction()) ids.push_back(group.id());
  return ids;
}

ChosenWidths chosen_widths(const AnyModel& model, const AnalysedNetwork& source,
                           const PruneOptions& requested) {
  PruneOptions options = requested;
  if (!options.unnamed) options.unnamed = fraction_groups(model, source);
  const auto fractions = kept_fractions(source, options);
  std::vector<GroupId> ids;
  for (const auto& [id, keep] : fractions) ids.push_back(id);
  for (const auto& [name, width] : options.widths) ids.push_back(source.groups.find(name));
  keep_resizable(model, source, options, ids);

  ChosenWidths chosen;
  for (const auto id : ids) {
    const auto& group = source.groups.groups[id];
    if (const auto exact = options.widths.find(group.name); exact != options.widths.end()) {
      chosen.widths[id] = exact->second;
      continue;
    }
    const double keep = fractions.at(id);
    const int64_t width = limited_width(fraction_width(keep, group.width), group.width, options.limits);
    chosen.widths[id] = width;
    if (std::round(keep * static_cast<double>(group.width)) < 1)
      chosen.notes.push_back(
          fmt::format("Group '{}': keeping {} of {} channels would leave none; it keeps {}.", group.name,
                      keep, group.width, width));
  }
  return chosen;
}

}  // namespace inn
