#pragma once
// What makes two groups alike.

#include <string>

#include "inn/dimension/groups.h"

namespace inn {

/// Returns what is alike in groups that are compared isomorphically: the width, and of each member the rank
/// of its tensor, its axis, role, repetitions, and the operators that read it; in any order. After Fang et
/// al., "Isomorphic Pruning for Vision Models", ECCV 2024.
std::string structure_of(const AnalysedNetwork& source, GroupId group);

}  // namespace inn
