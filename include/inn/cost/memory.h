#pragma once
// Peak memory of the activations of a run.

#include <ATen/core/ivalue.h>

#include <cstdint>
#include <string>
#include <vector>

#include "inn/network/network.h"

namespace inn {

/// The peak number of bytes of activations.
struct PeakMemory {
  int64_t bytes = 0;
  /// The call at which the peak occurs, by the name of its module, else of its result; "" for the inputs.
  std::string call = {};
};

/// Returns the peak of one run on `inputs`, found by running it, in evaluation mode.
///
/// The largest sum of live tensors by the executor's own rule: a value lives from its call until after its
/// last use, an output to the end. Storages are counted, not tensors: a view, an expanded tensor, and what an
/// operator in place gives add nothing. The state is not counted, nor are views of it; inputs are, until
/// their last use. What an operator takes for itself while it runs is not seen.
PeakMemory peak_memory(const Network& network, const std::vector<c10::IValue>& inputs);

/// A storage by the first value that has it.
struct LiveStorage {
  ValueId value;
  int64_t bytes;
};

/// Returns the storages that are live at each moment of that run: whenever a call has made a new one.
std::vector<std::vector<LiveStorage>> live_storages(const Network& network,
                                                    const std::vector<c10::IValue>& inputs);

}  // namespace inn
