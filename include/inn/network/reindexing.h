#pragma once
// Chains of views, permutations and slices between two values.

#include <ATen/core/Tensor.h>

#include <optional>
#include <set>

#include "inn/network/network.h"

namespace inn {

/// Returns the content of value `to` if value `from`, with its example's sizes, has `content`; nothing if
/// anything except reindexing (views, permutations, slices, repetitions) lies between the two, or if anything
/// else is used.
std::optional<at::Tensor> reindexed(const Network& network, ValueId from, ValueId to,
                                    const at::Tensor& content);

/// Whether all uses of the value lead, by reindexing only, to calls of `readers`, and none is an output.
bool leads_only_to(const Network& network, ValueId value, const std::set<size_t>& readers);

}  // namespace inn
