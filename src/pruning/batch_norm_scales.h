#pragma once
// Scales of batch norms.

#include <vector>

#include "inn/dimension/groups.h"

namespace inn {

/// Returns the members of the group whose tensor is the weight (γ) of a batch norm.
std::vector<Member> batch_norm_scales(const AnalysedNetwork& source, GroupId group);

}  // namespace inn
