#include "inn/resampling/maps.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <span>

#include "dynamic_sizes.h"
#include "inn/core/error.h"
#include "inn/core/mapped_file.h"
#include "inn/grid/grid.h"
#include "inn/weight_function/sample.h"

namespace inn {
namespace {

/// The map of a whole axis: those of its groups, side by side in a sum, one after the other in a product.
class AxisMapOf {
 public:
  AxisMapOf(const Groups& groups, size_t state, int64_t axis, const std::map<GroupId, GroupMaps>& maps)
      : groups_(groups), state_(state), axis_(axis), maps_(maps) {}

  /// The map of the whole axis: of its terms, which may have different roles.
  AxisMap operator()(const AxisStructure& axis) const {
    if (!axis.is_sum()) return of(axis, 0);
    std::vector<AxisMap> parts;
    bool all = true;
    for (size_t term = 0; term < axis.parts.size(); ++term) {
      parts.push_back(of(axis.parts[term], term));
      all = all && parts.back().is_identity();
    }
    return all ? AxisMap::identity(axis.size) : AxisMap::direct_sum(parts);
  }

  /// The map of a part of term `term`.
  AxisMap of(const AxisStructure& axis, size_t term) const {
    switch (axis.kind) {
      case AxisStructure::Kind::constant:
        return AxisMap::identity(axis.size);
      case AxisStructure::Kind::variable: {
        const auto found = maps_.find(static_cast<GroupId>(axis.variable));
        if (axis.variable < 0 || found == maps_.end()) return AxisMap::identity(axis.size);
        return groups_.role(state_, axis_, term, found->first) == MemberRole::consume ? found->second.consume
                                                                                      : found->second.produce;
      }
      case AxisStructure::Kind::sum: {
        std::vector<AxisMap> parts;
        bool all = true;
        for (const auto& part : axis.parts) {
          parts.push_back(of(part, term));
          all = all && parts.back().is_identity();
        }
        return all ? AxisMap::identity(axis.size) : AxisMap::direct_sum(parts);
      }
      default: {
        AxisMap whole = AxisMap::identity(axis.size);
        int64_t outer = 1, inner = axis.size;
        for (const auto& factor : axis.parts) {
          inner /= factor.size;
          const AxisMap map = of(factor, term);
          if (!map.is_identity()) whole = map.expand(outer, inner).after(whole);
          outer *= map.rows();
        }
        return whole;
      }
    }
  }

 private:
  const Groups& groups_;
  size_t state_;
  int64_t axis_;
  const std::map<GroupId, GroupMaps>& maps_;
};

/// The axis' own map, where a group gives one.
const AxisMap* whole_map(size_t state, int64_t axis, const std::map<GroupId, GroupMaps>& maps) {
  for (const auto& [id, pair] : maps)
    if (const auto found = pair.whole.find({state, axis}); found != pair.whole.end()) return &found->second;
  return nullptr;
}

/// The maps prepared for each device and dtype, once for all tensors with them.
class PreparedMaps {
 public:
  explicit PreparedMaps(const std::map<GroupId, GroupMaps>& maps) : maps_(maps) {}

  const std::map<GroupId, GroupMaps>& of(const at::Tensor& tensor) {
    const auto [found, added] = prepared_.try_emplace({tensor.device().str(), tensor.scalar_type()});
    if (!added) return found->second;
    for (const auto& [id, pair] : maps_) {
      GroupMaps maps{pair.produce.prepared_for(tensor), pair.consume.prepared_for(tensor)};
      for (const auto& [axis, map] : pair.whole) maps.whole.emplace(axis, map.prepared_for(tensor));
      found->second.emplace(id, std::move(maps));
    }
    return found->second;
  }

 private:
  const std::map<GroupId, GroupMaps>& maps_;
  std::map<std::pair<std::string, c10::ScalarType>, std::map<GroupId, GroupMaps>> prepared_;
};

void check_maps(const Groups& groups, const std::map<GroupId, GroupMaps>& maps) {
  for (const auto& [id, pair] : maps) {
    const auto& group = groups.groups.at(id);
    if (pair.produce.is_identity() && pair.consume.is_identity() && pair.produce.cols() == group.width)
      continue;
    if (group.pinned)
      raise("resampling", "Group '{}': cannot be resized from width {}: {}.", group.name, group.width,
            *group.pinned);
    require(pair.produce.cols() == group.width && pair.consume.cols() == group.width, "resampling",
            "Group '{}': maps must start at its width {} but start at {} and {}.", group.name, group.width,
            pair.produce.cols(), pair.consume.cols());
    require(pair.produce.rows() == pair.consume.rows(), "resampling",
            "Group '{}': both maps must end at one width but end at {} and {}.", group.name,
            pair.produce.rows(), pair.consume.rows());
  }
}

}  // namespace

AxisMap axis_map(const Groups& groups, size_t state, int64_t axis, const std::map<GroupId, GroupMaps>& maps) {
  if (const auto* whole = whole_map(state, axis, maps)) return *whole;
  return AxisMapOf(groups, state, axis, maps)(groups.axes.at(state).at(static_cast<size_t>(axis)));
}

GroupMaps interpolation_maps(int64_t source_width, const at::Tensor& points,
                             const InterpolationKernel& kernel, const Quadrature& quadrature) {
  const AxisMap produce = interpolation_map(kernel, source_width, points);
  if (produce.is_identity()) return {produce, produce};
  const auto source = quadrature_weights(quadrature, uniform_points(source_width));
  return {produce,
          produce.scale_columns(source.reciprocal()).scale_rows(quadrature_weights(quadrature, points))};
}

GroupMaps selection_maps(int64_t source_width, const std::vector<int64_t>& indices) {
  const AxisMap selection = AxisMap::select(indices, source_width);
  return {selection, selection};
}

GroupMaps first_channels(int64_t source_width, int64_t width) {
  std::vector<int64_t> indices(static_cast<size_t>(width));
  std::iota(indices.begin(), indices.end(), 0);
  return selection_maps(source_width, indices);
}

GroupMaps compose_maps(const GroupMaps& after, const GroupMaps& before) {
  return {after.produce.after(before.produce), after.consume.after(before.consume)};
}

at::Tensor apply_maps(const Groups& groups, size_t state, const at::Tensor& tensor,
                      const std::map<GroupId, GroupMaps>& maps) {
  std::vector<MappedAxis> mapped;
  const auto& axes = groups.axes.at(state);
  for (size_t d = 0; d < axes.size(); ++d) {
    const auto axis = static_cast<int64_t>(d);
    if (const auto* whole = whole_map(state, axis, maps)) {
      mapped.push_back({axis, *whole});
      continue;
    }
    const AxisMapOf map_of(groups, state, axis, maps);
    if (axes[d].is_product()) {
      // One factor alone is mapped in place, without a map of the whole axis.
      size_t count = 0;
      MappedAxis single{axis, AxisMap::identity(1), 1, 1};
      int64_t outer = 1, inner = axes[d].size;
      for (const auto& factor : axes[d].parts) {
        inner /= factor.size;
        AxisMap map = map_of.of(factor, 0);
        if (!map.is_identity()) {
          ++count;
          single = {axis, std::move(map), outer, inner};
        }
        outer *= factor.size;
      }
      if (count == 1) mapped.push_back(std::move(single));
      if (count < 2) continue;
    }
    AxisMap map = map_of(axes[d]);
    if (!map.is_identity()) mapped.push_back({axis, std::move(map)});
  }
  if (mapped.empty()) return tensor;
  const at::Tensor sampled = sample_tensor(tensor, mapped);
  if (groups.bounded.at(state)) return sampled.clamp(tensor.min(), tensor.max());
  return sampled;
}

namespace {

std::set<size_t> mapped_states(const Groups& groups, const std::map<GroupId, GroupMaps>& maps) {
  std::set<size_t> states;
  for (const auto& [id, pair] : maps)
    for (const auto& member : groups.groups.at(id).members) states.insert(member.state);
  return states;
}

}  // namespace

std::vector<at::Tensor> apply_maps(const Groups& groups, const Network& network,
                                   const std::map<GroupId, GroupMaps>& maps) {
  std::vector<at::Tensor> tensors = network.tensors();
  PreparedMaps prepared(maps);
  for (const auto state : mapped_states(groups, maps))
    tensors[state] = apply_maps(groups, state, tensors[state], prepared.of(tensors[state]));
  return tensors;
}

std::map<GroupId, int64_t> widths_of(const std::map<GroupId, GroupMaps>& maps) {
  std::map<GroupId, int64_t> widths;
  for (const auto& [id, pair] : maps) widths.emplace(id, pair.produce.rows());
  return widths;
}

std::vector<int64_t> symbol_values(const Groups& groups, const Network& network,
                                   const std::map<GroupId, int64_t>& widths) {
  std::vector<int64_t> values;
  for (const auto& symbol : network.symbols) values.push_back(symbol.value);
  for (const auto& [group, symbol] : groups.group_symbols)
    if (const auto found = widths.find(group); found != widths.end()) values.at(symbol) = found->second;
  return values;
}

Network resample(const AnalysedNetwork& source, const std::map<GroupId, GroupMaps>& maps,
                 Untouched untouched) {
  check_maps(source.groups, maps);
  std::vector<int64_t> widths;
  for (const auto& group : source.groups.groups) widths.push_back(group.width);
  for (const auto& [id, pair] : maps) widths[id] = pair.produce.rows();

  at::NoGradGuard no_grad;
  Network result = source.network;
  const auto mapped = mapped_states(source.groups, maps);
  PreparedMaps prepared(maps);
  for (size_t s = 0; s < result.state.size(); ++s) {
    const auto& own = source.network.state[s].tensor;
    const bool is_parameter = source.network.state[s].kind == StateEntry::Kind::parameter;
    if (untouched == Untouched::shared && is_parameter && !mapped.contains(s)) continue;
    const at::Tensor tensor = mapped.contains(s) ? apply_maps(source.groups, s, own, prepared.of(own)) : own;
    // What a map made is new memory; what no map touched is the source's.
    result.state[s].tensor = (tensor.is_alias_of(own) ? tensor.detach().clone() : tensor.detach())
                                 .requires_grad_(own.requires_grad());
    release_pages(own);
  }
  const auto values = symbol_values(source.groups, source.network, widths_of(maps));
  for (size_t s = 0; s < values.size(); ++s) result.symbols[s].value = values[s];
  set_sizes(result, source.groups, widths);
  return result;
}

}  // namespace inn
