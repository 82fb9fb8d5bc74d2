#pragma once
// Where the channels of heads go from linear map to sum by reindexing alone.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "inn/data_quadrature/kernels.h"
#include "inn/dimension/groups.h"
#include "inn/network/linear_call.h"

namespace inn {

/// Queries and keys: both are outputs of linear maps, and a call sums over their channels.
struct ScoreSite {
  size_t call;
  LinearCall query, key;
  at::Tensor query_rows, key_rows;  // int64 [heads, channels]: the maps' output channels
  bool before_softmax;              // what is the same for all keys of a sample does not matter
};

/// Values: outputs of a linear map, which a call mixes over positions, and another linear map reads.
struct ValueSite {
  size_t call;
  LinearCall value, reader;
  at::Tensor value_rows, reader_rows;  // [heads, channels]: of the reader the input channels
};

/// The whole of a group that stands in heads.
struct HeadSites {
  std::vector<ScoreSite> scores;
  std::vector<ValueSite> values;
};

/// Returns the sites of the group, whose consumers are given; nothing where it stands anywhere else too, or
/// anything but reindexing lies between (rotary positions, a norm of queries): its channels can't be mixed.
std::optional<HeadSites> head_sites(const AnalysedNetwork& source, GroupId group,
                                    const std::vector<Consumer>& consumers);

}  // namespace inn
