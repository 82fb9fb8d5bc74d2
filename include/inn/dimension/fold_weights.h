#pragma once
// Weights that a network computes of its parameters, as parameters.

#include <string>
#include <vector>

#include "inn/network/network.h"

namespace inn {

/// A weight that calls compute of parameters alone.
struct ComputedWeight {
  ValueId value;
  std::string site;  // the call that mixes its channels: "aten::_weight_norm (head)"
};

/// Returns the network with the values of `weights`, as they are now, in place of the calls that compute
/// them, and in `notes` a sentence for each. A weight takes the name of the largest parameter that it is
/// computed of, if nothing else reads that; parameters that nothing reads any more are gone. Outputs are
/// unchanged, exactly.
Network fold_weights(const Network& network, const std::vector<ComputedWeight>& weights,
                     std::vector<std::string>& notes);

}  // namespace inn
