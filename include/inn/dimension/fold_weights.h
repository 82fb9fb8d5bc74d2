#pragma once
// Folding computed weights into parameters.

#include <string>
#include <vector>

#include "inn/network/network.h"

namespace inn {

/// A weight that is computed only from parameters.
struct ComputedWeight {
  ValueId value;
  std::string site;  // the call that mixes its channels: "aten::_weight_norm (head)"
};

/// Returns the network with the calls that compute `weights` replaced by their current values, and a sentence
/// for each in `notes`. A weight takes the name of the largest parameter that it is computed from, if that is
/// used nowhere else; unused parameters are removed. Outputs are exactly unchanged.
Network fold_weights(const Network& network, const std::vector<ComputedWeight>& weights,
                     std::vector<std::string>& notes);

}  // namespace inn
