#pragma once
// Positions of the channels of a group in an axis.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "inn/dimension/axis.h"
#include "inn/dimension/groups.h"

namespace inn {

/// Channel c has the indices offset + o·outer_stride + c·inner + i, 0 ≤ o < outer, 0 ≤ i < inner: see Member.
struct ChannelPlace {
  int64_t offset, outer, outer_stride, inner;
};

/// Calls `visit(leaf, place)` for each variable of `axis`, which is itself at `at`, once per place.
template <class Visit>
void for_each_place(const AxisStructure& axis, const ChannelPlace& at, const Visit& visit) {
  if (axis.is_variable()) visit(axis, at);
  if (axis.is_sum()) {
    int64_t begin = 0;
    for (const auto& term : axis.parts) {
      for_each_place(term, {at.offset + begin * at.inner, at.outer, at.outer_stride, at.inner}, visit);
      begin += term.size;
    }
  }
  if (!axis.is_product()) return;
  int64_t inner = axis.size, outer = 1;
  for (const auto& factor : axis.parts) {
    inner /= factor.size;
    // The repetitions of what stands around (at.outer) and of the factors before this one: one stride holds
    // for both where one of the two counts is 1; else each of the former is a place by itself.
    const int64_t block = factor.size * inner * at.inner;
    if (at.outer == 1) {
      for_each_place(factor, {at.offset, outer, block, inner * at.inner}, visit);
    } else if (outer == 1) {
      for_each_place(factor, {at.offset, at.outer, at.outer_stride, inner * at.inner}, visit);
    } else {
      for (int64_t o = 0; o < at.outer; ++o)
        for_each_place(factor, {at.offset + o * at.outer_stride, outer, block, inner * at.inner}, visit);
    }
    outer *= factor.size;
  }
}

/// Returns the groups in `axis`.
std::set<GroupId> groups_in(const AxisStructure& axis);

/// Returns the places of `group` in `axis`, in order; for an axis of a state tensor, those of the members.
std::vector<ChannelPlace> places_of(const AxisStructure& axis, GroupId group);

/// Whether any axis of the value has channels of the group.
bool has_group(const Groups& groups, ValueId value, GroupId group);

/// Whether the dtype is real or complex floating point (NumPy's inexact).
bool is_inexact(const at::Tensor& tensor);

/// Returns the slices of `tensor` by channel: [width, everything else], complex numbers as two parts.
/// Differentiable; a view if possible.
at::Tensor rows_at(const at::Tensor& tensor, int64_t axis, const ChannelPlace& place, int64_t width);

/// Returns the axis of a value in a run in which it has `size`: an outermost batch factor of a product may
/// differ from the example. Throws std::invalid_argument naming `value` if the sizes do not fit.
AxisStructure axis_of_run(AxisStructure axis, int64_t size, const std::string& value);

}  // namespace inn
