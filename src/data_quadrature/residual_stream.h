#pragma once
// Residual streams whose channels may be rotated.

#include <map>
#include <vector>

#include "inn/dimension/groups.h"
#include "inn/network/network.h"

namespace inn {

/// A network in which some residual streams may be rotated: the gains of the RMS norms on them are 1.
struct RotatableStreams {
  struct Stream {
    GroupId group;              // in `source`
    std::vector<size_t> gains;  // state tensors of `source`, all ones
  };
  AnalysedNetwork source;
  std::map<GroupId, Stream> streams;  // by their groups in the network that it was made from
};

/// Moves the gains of the RMS norms on residual streams into the weights of the layers that read them, as SliceGPT does
/// (Ashkboos et al., ICLR 2024); the network computes the same function. A weight that is also used elsewhere (a tied
/// embedding) gets a copy of its own, which is told in the notes.
///
/// Throws std::invalid_argument naming the first call that does not commute with a rotation of the stream: anything but
/// embeddings, linear layers, sums and RMS norms.
RotatableStreams rotatable_streams(const AnalysedNetwork& source, const std::vector<GroupId>& streams);

}  // namespace inn
