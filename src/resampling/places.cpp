#include "resampling/places.h"

#include <ATen/ATen.h>

namespace inn {
namespace {

/// Appends the places of `group` in `axis`, which itself stands at `at`.
void append_places(const Axis& axis, GroupId group, const ChannelPlace& at,
                   std::vector<ChannelPlace>& places) {
  if (axis.is_variable() && axis.variable == static_cast<VariableId>(group)) places.push_back(at);
  if (axis.is_sum()) {
    int64_t begin = 0;
    for (const auto& term : axis.parts) {
      append_places(term, group, {at.offset + begin * at.inner, at.outer, at.outer_stride, at.inner}, places);
      begin += term.size;
    }
  }
  if (!axis.is_product()) return;
  int64_t inner = axis.size, outer = 1;
  for (const auto& factor : axis.parts) {
    inner /= factor.size;
    // One stride holds for the repetitions around the axis and for those of the factors before this one only
    // where one of the two counts is 1; else each of the former is a place by itself.
    const int64_t block = factor.size * inner * at.inner;
    if (at.outer == 1) {
      append_places(factor, group, {at.offset, outer, block, inner * at.inner}, places);
    } else if (outer == 1) {
      append_places(factor, group, {at.offset, at.outer, at.outer_stride, inner * at.inner}, places);
    } else {
      for (int64_t o = 0; o < at.outer; ++o)
        append_places(factor, group, {at.offset + o * at.outer_stride, outer, block, inner * at.inner},
                      places);
    }
    outer *= factor.size;
  }
}

}  // namespace

std::vector<ChannelPlace> places_of(const Axis& axis, GroupId group) {
  std::vector<ChannelPlace> places;
  append_places(axis, group, {0, 1, axis.size, 1}, places);
  return places;
}

at::Tensor rows_at(const at::Tensor& tensor, int64_t axis, const ChannelPlace& place, int64_t width) {
  const at::Tensor first = tensor.movedim(axis, 0);
  if (place.outer == 1) return first.narrow(0, place.offset, width * place.inner).reshape({width, -1});
  const auto c = at::arange(width).view({width, 1, 1}) * place.inner;
  const auto o = at::arange(place.outer).view({1, place.outer, 1}) * place.outer_stride;
  const auto i = at::arange(place.inner).view({1, 1, place.inner});
  const auto index = (c + o + i + place.offset).reshape({-1}).to(tensor.device());
  return first.index_select(0, index).reshape({width, -1});
}

}  // namespace inn
