#pragma once
// The structure of a group, for comparing groups.

#include <string>

#include "inn/dimension/groups.h"

namespace inn {

/// Returns a text that is equal for isomorphic groups: the width and, for each member, the rank of its
/// tensor, its axis, role, repetitions and consuming operators, independent of their order. After Fang et
/// al., "Isomorphic Pruning for Vision Models", ECCV 2024.
std::string structure_of(const AnalysedNetwork& source, GroupId group);

}  // namespace inn
