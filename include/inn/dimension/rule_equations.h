#pragma once
// Equations that many rules state: what a rule of one's own is put together of, beside RuleContext itself.

#include <cstdint>
#include <string>
#include <vector>

#include "inn/dimension/rule.h"

namespace inn::rules {

/// Broadcasts the tensor arguments against each other and gives every result their common axes: an
/// elementwise operator.
void broadcast(RuleContext& context);
/// Gives every result the axes of the first tensor argument: activations.
void like_first(RuleContext& context);
/// The same where the result is linear in that argument: a copy, dropout, a cast.
void same_axes(RuleContext& context);
/// Pins an axis of size 1 that broadcasts to `size`: at another width it would not.
void stretch(RuleContext& context, const Axis& axis, int64_t size);
/// Slices of the result along `to` are scaled where those of the arguments "weight" along `axis` and "bias"
/// are.
void propagate_layer_scale(RuleContext& context, int64_t axis, int64_t to);
/// Returns the axes that the argument `name` lists, counted from the front; all where it is None or empty.
std::vector<int64_t> reduced_axes(const RuleContext& context, const std::string& name, size_t rank);

}  // namespace inn::rules
