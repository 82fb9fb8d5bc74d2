#pragma once
// Where the channels of a group stand in an axis.

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "dimension/places.h"
#include "inn/dimension/groups.h"

namespace inn {

/// Returns the places of `group` in `axis`, in order: those of its members where the axis is of the state.
std::vector<ChannelPlace> places_of(const Axis& axis, GroupId group);

/// Returns what `tensor` holds of each channel of an axis: [width, everything else]. Differentiable; a view
/// where it can be.
at::Tensor rows_at(const at::Tensor& tensor, int64_t axis, const ChannelPlace& place, int64_t width);

/// Returns the axis of a value as it is in one run, where it has `size`: a batch that stands outermost in a
/// product may have another size than in the example. Throws std::invalid_argument, naming `value`, where the
/// sizes do not fit.
Axis axis_of_run(Axis axis, int64_t size, const std::string& value);

}  // namespace inn
