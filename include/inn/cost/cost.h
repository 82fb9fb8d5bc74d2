#pragma once
// The cost of a network: parameters, multiply-adds and memory.

#include <ATen/core/ivalue.h>

#include <cstdint>
#include <string>
#include <vector>

#include "inn/cost/memory.h"
#include "inn/network/network.h"

namespace inn {

/// One call that has parameters or multiply-adds.
struct LayerCost {
  std::string name;        // dotted name of its module ("layer1.0.conv1"), else of its result
  std::string type;        // "conv2d"
  int64_t parameters = 0;  // not counted for an earlier call
  int64_t macs = 0;
  std::vector<int64_t> output_sizes = {};
};

struct CostReport {
  int64_t parameters = 0;              // all of the network, each tensor once
  int64_t macs = 0;                    // of all calls, for the inputs given
  PeakMemory peak_memory = {};         // of the activations
  std::vector<LayerCost> layers = {};  // in the order of the calls
};

/// Returns the cost of one run on `inputs`, found by running it, in evaluation mode.
///
/// Multiply-adds are those of convolutions, matrix products, attention and recurrent layers, by their
/// formulas (formula.h), without biases, norms, activations and pooling: as papers count them. Proportional
/// to the batch. Equal to half of what torch.utils.flop_counter counts, which leaves out recurrent layers.
CostReport cost_of(const Network& network, const std::vector<c10::IValue>& inputs);

/// Returns the cost for example inputs of batch 1.
CostReport cost_of(const Network& network);

/// Returns inputs of zeros with the sizes, dtypes and device of the example inputs, with batch size `batch`
/// in axis 0 of every tensor (0: that of the example). Throws std::invalid_argument if an input is not a
/// tensor.
std::vector<c10::IValue> example_inputs(const Network& network, int64_t batch = 0);

}  // namespace inn
