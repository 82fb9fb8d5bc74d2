#pragma once
// One function for each family of operators; RuleTable::standard() calls them all.

#include "inn/dimension/rule.h"

namespace inn::rules {

void add_elementwise(RuleTable& table);
void add_reduction(RuleTable& table);
void add_normalization(RuleTable& table);
void add_convolution(RuleTable& table);
void add_pooling(RuleTable& table);
void add_product(RuleTable& table);
void add_reshape(RuleTable& table);
void add_movement(RuleTable& table);
void add_partition(RuleTable& table);
void add_attention(RuleTable& table);
void add_einsum(RuleTable& table);
void add_recurrent(RuleTable& table);
void add_rearrangement(RuleTable& table);
void add_choice(RuleTable& table);
void add_lookup(RuleTable& table);
void add_factory(RuleTable& table);
void add_fourier(RuleTable& table);
void add_integer(RuleTable& table);

/// Pins an axis of size 1 that broadcasts to `size`: at another width it would not.
void stretch(RuleContext& context, const Axis& axis, int64_t size);
/// Broadcasts the tensor arguments against each other and gives every result their common axes.
void broadcast(RuleContext& context);
/// Gives every result the axes of the first tensor argument.
void like_first(RuleContext& context);
/// The same where the result is linear in that argument.
void same_axes(RuleContext& context);
/// An axis of which a part is taken: before ⊕ part ⊕ after.
struct ThreeParts {
  Axis before, part, after;
};
/// Cuts the part [start, start + length) out of an axis. Nothing where it can't be cut there.
std::optional<ThreeParts> cut_out(RuleContext& context, const Axis& whole, int64_t start, int64_t length);
/// Slices of the result along `to` are scaled where those of `weight` along `axis` and of `bias` are.
void carry_layer(RuleContext& context, int64_t axis, int64_t to);
/// Returns the axes that the argument names, counted from the front; all where it is None or empty.
std::vector<int64_t> reduced_axes(const RuleContext& context, const std::string& name, size_t rank);

}  // namespace inn::rules
