#pragma once
// Proving that a network made of another runs at every size of its inputs that the other runs at.

#include <ATen/core/ivalue.h>

#include <cstdint>
#include <string>
#include <vector>

#include "inn/network/network.h"

namespace inn {

/// Returns the sizes of all inputs, in order, for runs at other sizes than the example's: each dynamic size
/// by itself one larger, all at once, and the batches of all inputs alike; of a static network, where all inputs have one size of axis 0, this
/// batch one larger and more than doubled. Sizes stay in the ranges that the source gives its symbols. A size
/// whose formula is neither a symbol nor a multiple of one stays. Empty where nothing can change.
std::vector<std::vector<std::vector<int64_t>>> other_input_sizes(const Network& network);

/// Random inputs of these sizes, as `random_inputs` draws them.
std::vector<c10::IValue> random_inputs(const Network& network, const std::vector<std::vector<int64_t>>& sizes,
                                       uint64_t seed);

/// What was found at one choice of input sizes.
struct SizeVerification {
  std::string inputs;        // "x [3, 4, 6]"
  double difference = 0;     // the greatest of the outputs, relative to the largest
  std::string skipped = {};  // why nothing could be compared; "" where it was
  std::string failure = {};  // "" where it holds
  bool ok() const { return failure.empty(); }
};

struct SizeVerificationOptions {
  /// Whether `derived` computes what `source` does (it is at the full width), or has the sizes of its outputs
  /// only (it was cut).
  bool same_outputs = true;
  uint64_t seed = 0;
};

/// Runs `derived`, which was made of `source` (analysed, cut, converted, written and read), at
/// `other_input_sizes(source)` and compares it with the source there.
///
/// A static source (none of its inputs' sizes is dynamic) is run at its own batch size, on so many samples at
/// a time, where no sample's outputs depend on the others. What was cut must have the source's sizes, and
/// outputs of a batch that are those of its samples. Skipped, with the reason, where the source does not run
/// there, draws random numbers, or holds a tensor of the batch's size. Both run in evaluation mode in their
/// own dtypes; a failure is reported, not thrown.
std::vector<SizeVerification> verify_sizes(const Network& source, const Network& derived,
                                           const SizeVerificationOptions& options = {});

}  // namespace inn
