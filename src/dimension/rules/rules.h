#pragma once
// One function for each family of operators; RuleTable::standard() calls them all.

#include "inn/dimension/rule_equations.h"

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

/// An axis with a selected part: before ⊕ part ⊕ after.
struct ThreeParts {
  AxisStructure before, part, after;
};
/// Selects the part [start, start + length) of an axis. Nothing if the axis cannot be split there.
std::optional<ThreeParts> cut_out(RuleContext& context, const AxisStructure& whole, int64_t start,
                                  int64_t length);

}  // namespace inn::rules
