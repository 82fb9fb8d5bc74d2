#pragma once
// Attention sites whose channels can be mixed: only reindexing lies between the projection and the sum.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "inn/data_quadrature/kernels.h"
#include "inn/dimension/groups.h"
#include "inn/network/linear_call.h"

namespace inn {

/// Queries and keys: outputs of linear maps, whose channels a call sums over.
struct ScoreSite {
  size_t call;
  LinearCall query, key;
  at::Tensor query_rows, key_rows;  // int64 [heads, channels]: the maps' output channels
  bool before_softmax;              // terms that are equal for all keys of a sample do not matter
};

/// Values: outputs of a linear map, mixed over positions by a call and consumed by another linear map.
struct ValueSite {
  size_t call;
  LinearCall value, reader;
  at::Tensor value_rows, reader_rows;  // [heads, channels]: the input channels of the consumer
};

/// All sites of a group of heads.
struct HeadSites {
  std::vector<ScoreSite> scores;
  std::vector<ValueSite> values;
};

/// Returns the sites of the group with the given consumers; nothing if its channels cannot be mixed, i.e. if
/// it occurs elsewhere too or if anything except reindexing lies between (rotary positions, a norm of
/// queries). calls: linear_calls of the network.
std::optional<HeadSites> head_sites(const AnalysedNetwork& source, std::span<const MaybeLinearCall> calls,
                                    GroupId group, const std::vector<Consumer>& consumers);

}  // namespace inn
