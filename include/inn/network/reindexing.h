#pragma once
// What lies between two values where nothing but places change.

#include <ATen/core/Tensor.h>

#include <optional>
#include <set>

#include "inn/network/network.h"

namespace inn {

/// Returns what value `to` holds where value `from`, of its example's sizes, holds `content`; nothing where
/// anything but reindexing (views, permutations, parts, repetitions) lies between the two, or anything else
/// is read.
std::optional<at::Tensor> reindexed(const Network& network, ValueId from, ValueId to,
                                    const at::Tensor& content);

/// Whether all that depends on the value goes, by reindexing alone, into calls of `readers`, and none of it
/// is an output.
bool leads_only_to(const Network& network, ValueId value, const std::set<size_t>& readers);

}  // namespace inn
