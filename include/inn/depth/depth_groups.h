#pragma once
// Chains of residual blocks of one shape: what can be skipped or repeated.

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "inn/network/network.h"

namespace inn {

/// The calls [begin, end) between two values of the residual stream. They read the stream, values from before the whole
/// chain (masks, rotary tables) and parameters of their own.
struct ResidualBlock {
  std::string name;  // the module that its calls share: "layers.3"
  size_t begin, end;
  ValueId input, output;
};

/// Consecutive blocks that are alike but for their parameters.
struct DepthGroup {
  std::string name;  // the module of all: "layers"
  std::vector<ResidualBlock> blocks;
};

/// Finds the chains of at least two blocks, in network order: isomorphic runs of calls whose only way from one to
/// the next is one value of the same size, with a path of sums (and norms, ReLUs, dropout) from each block's input to its
/// output. A block is as short as possible: a transformer's layer is one block, not its attention and its MLP,
/// since those differ.
std::vector<DepthGroup> find_depth_groups(const Network& network);

/// Returns the group of that name. Throws std::invalid_argument with the names that there are.
const DepthGroup& find_depth_group(const std::vector<DepthGroup>& groups, const std::string& name);

/// Returns how many blocks of each chain are the fraction of its depth: rounded, at least one.
std::map<std::string, int64_t> depths_at(const std::vector<DepthGroup>& groups, double fraction);

/// Returns the network with blocks bypassed: what reads a block's output reads its input. The calls stay where they
/// are, some of them unread (`eliminate_dead_code` removes those).
Network bypass(const Network& network, std::span<const ResidualBlock> blocks);

}  // namespace inn
