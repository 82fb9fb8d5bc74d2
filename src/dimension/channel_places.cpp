#include "inn/dimension/channel_places.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "inn/core/error.h"

namespace inn {

std::set<GroupId> groups_in(const AxisStructure& axis) {
  std::set<GroupId> ids;
  axis.for_each_variable([&](const AxisStructure& leaf) {
    if (leaf.variable >= 0) ids.insert(static_cast<GroupId>(leaf.variable));
  });
  return ids;
}

std::vector<ChannelPlace> places_of(const AxisStructure& axis, GroupId group) {
  std::vector<ChannelPlace> places;
  for_each_place(axis, {0, 1, axis.size, 1}, [&](const AxisStructure& leaf, const ChannelPlace& place) {
    if (leaf.variable == static_cast<VariableId>(group)) places.push_back(place);
  });
  return places;
}

bool has_group(const Groups& groups, ValueId value, GroupId group) {
  const auto& axes = groups.value_axes.at(static_cast<size_t>(value));
  return std::any_of(axes.begin(), axes.end(),
                     [&](const auto& axis) { return !places_of(axis, group).empty(); });
}

bool is_inexact(const at::Tensor& tensor) { return tensor.is_floating_point() || tensor.is_complex(); }

at::Tensor rows_at(const at::Tensor& tensor, int64_t axis, const ChannelPlace& place, int64_t width) {
  const at::Tensor numbers = tensor.is_complex() ? at::view_as_real(tensor.resolve_conj()) : tensor;
  const at::Tensor first = numbers.movedim(axis < 0 ? axis + tensor.dim() : axis, 0);
  if (place.outer == 1) return first.narrow(0, place.offset, width * place.inner).reshape({width, -1});
  const auto c = at::arange(width).view({width, 1, 1}) * place.inner;
  const auto o = at::arange(place.outer).view({1, place.outer, 1}) * place.outer_stride;
  const auto i = at::arange(place.inner).view({1, 1, place.inner});
  const auto index = (c + o + i + place.offset).reshape({-1}).to(tensor.device());
  return first.index_select(0, index).reshape({width, -1});
}

AxisStructure axis_of_run(AxisStructure axis, int64_t size, const std::string& value) {
  if (axis.size == size) return axis;
  const int64_t rest = axis.is_product() && axis.parts[0].is_variable() && axis.parts[0].variable < 0
                           ? axis.size / axis.parts[0].size
                           : 0;
  require(rest > 0 && size % rest == 0, "dimension",
          "Calibration: value '{}' has a group in an axis of size {}, but the batch gives it size {}.", value,
          axis.size, size);
  axis.parts[0].size = size / rest;
  axis.size = size;
  return axis;
}

}  // namespace inn
