// Conversion of a network to an integral model.

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "inn/core/error.h"
#include "inn/dimension/fraction_groups.h"
#include "inn/model/integral_model.h"
#include "inn/resampling/maps.h"
#include "inn/resampling/rows.h"

namespace inn {
namespace {

void check_order(const ConvertOptions& options) {
  const auto& known = channel_orders();
  require(std::find(known.begin(), known.end(), options.order) != known.end(), "model",
          "Order: must be one of {} but got '{}'.", fmt::join(known, ", "), options.order);
  require(
      options.order != "nodes" || !options.ranking.empty(), "model",
      "Order 'nodes': requires a ranking of the channels, as measured by rank_channels, but there is none.");
  require(options.order == "nodes" || options.ranking.empty(), "model",
          "Order '{}': a ranking of the channels requires order 'nodes'.", options.order);
  require(options.order != "nodes" || options.grid == "nested", "model",
          "Order 'nodes': requires grid 'nested' but the grid is '{}'.", options.grid);
}

void check_ranking(const Group& group, const std::vector<int64_t>& ranked) {
  std::vector<int64_t> sorted = ranked, all(static_cast<size_t>(group.width));
  std::iota(all.begin(), all.end(), int64_t{0});
  std::sort(sorted.begin(), sorted.end());
  require(sorted == all, "model", "Group '{}': its ranking must contain each of its {} channels once.",
          group.name, group.width);
}

/// Permutations that place the first channels of a ranking at the points of the nested grid of every width.
std::map<GroupId, GroupMaps> nested_orders(const Groups& groups, const std::vector<GroupId>& chosen,
                                           const std::map<std::string, std::vector<int64_t>>& ranking) {
  for (const auto& [name, ranked] : ranking) check_ranking(groups.groups[groups.find(name)], ranked);
  std::map<GroupId, GroupMaps> permutations;
  for (const auto id : chosen) {
    const auto found = ranking.find(groups.groups[id].name);
    require(found != ranking.end(), "model",
            "Group '{}': order 'nodes' requires a ranking but there is none.", groups.groups[id].name);
    const auto& ranked = found->second;
    const auto places = nested_order(static_cast<int64_t>(ranked.size()));
    std::vector<int64_t> order(ranked.size());
    for (size_t k = 0; k < ranked.size(); ++k) order[static_cast<size_t>(places[k])] = ranked[k];
    permutations.emplace(id, selection_maps(static_cast<int64_t>(order.size()), order));
  }
  return permutations;
}

}  // namespace

std::vector<GroupId> chosen_groups(const AnalysedNetwork& source, const ConvertOptions& options) {
  if (options.dims.empty() && options.group_names.empty())
    return options.groups.empty() ? learned_groups(source) : source.groups.select(options.groups);
  std::set<GroupId> chosen;
  for (const auto& name : options.group_names) {
    const auto id = source.groups.find(name);
    if (const auto& group = source.groups.groups[id]; group.pinned)
      raise("model", "Group '{}': cannot be resized from width {}: {}.", name, group.width, *group.pinned);
    chosen.insert(id);
  }
  if (!options.groups.empty())
    for (const auto id : source.groups.select(options.groups)) chosen.insert(id);
  for (const auto& [name, axes] : options.dims) {
    const size_t state = source.network.find_state(name);
    const auto& structure = source.groups.axes.at(state);
    for (const auto axis : axes) {
      const auto rank = static_cast<int64_t>(structure.size());
      require(axis >= -rank && axis < rank, "model", "Tensor '{}': axis must be in [{}, {}) but got {}.",
              name, -rank, rank, axis);
      // Beside channels an axis may hold what is pinned: the image that a classifier reads flattened.
      bool any = false;
      const Group* pinned = nullptr;
      structure[axis < 0 ? axis + rank : axis].for_each_variable([&](const AxisStructure& leaf) {
        const auto& group = source.groups.groups.at(leaf.variable);
        if (group.pinned) {
          pinned = &group;
          return;
        }
        any = true;
        chosen.insert(static_cast<GroupId>(leaf.variable));
      });
      if (!any && pinned)
        raise("model", "Tensor '{}', axis {}: its group '{}' cannot be resized from width {}: {}.", name,
              axis, pinned->name, pinned->width, *pinned->pinned);
      require(any, "model", "Tensor '{}', axis {}: is not a channel dimension.", name, axis);
    }
  }
  return {chosen.begin(), chosen.end()};
}

const std::vector<std::string>& channel_orders() {
  static const std::vector<std::string> orders{"path", "nodes", "none"};
  return orders;
}

IntegralModel convert(const Network& network, const ConvertOptions& options) {
  check_order(options);
  find_kernel(options.kernel);
  const Quadrature rule = quadrature_of(options);
  AnalysedNetwork source = analyse(network.clone(), options.rules ? *options.rules : RuleTable::standard());
  const auto groups = chosen_groups(source, options);
  if (options.order == "path") {
    source.network = resample(source, smooth_orders(source, groups, options.seed));
  } else if (options.order == "nodes") {
    source.network = resample(source, nested_orders(source.groups, groups, options.ranking));
  }
  ConvertOptions kept = options;
  kept.ranking = {};
  kept.quadrature = rule.name;
  return IntegralModel(std::make_shared<IntegralModelImpl>(std::move(source), std::move(kept)));
}

}  // namespace inn
