#pragma once
// Equations shared by many rules: building blocks for your own rules, besides RuleContext.

#include <cstdint>
#include <string>
#include <vector>

#include "inn/dimension/rule.h"

namespace inn::rules {

/// Broadcasts the tensor arguments against each other and gives every result their common axes: an
/// elementwise operator.
void broadcast(RuleContext& context);
/// Gives every result the axes of the first tensor argument: activation functions.
void like_first(RuleContext& context);
/// The same where the result is linear in that argument: a copy, dropout, a cast.
void same_axes(RuleContext& context);
/// Pins an axis of size 1 that is broadcast to `size`; at another width it could not be.
void stretch(RuleContext& context, const AxisStructure& axis, int64_t size);
/// Propagates the scale sources of a layer: slices of the result along `to` are scaled by those of the
/// arguments "weight" (along `axis`) and "bias".
void propagate_layer_scale(RuleContext& context, int64_t axis, int64_t to);
/// Returns the axes listed in the argument `name`, counted from the front; all axes if it is None or empty.
std::vector<int64_t> reduced_axes(const RuleContext& context, const std::string& name, size_t rank);

}  // namespace inn::rules
