#pragma once
// How alike two networks are on data without labels.

#include <cstdint>

#include "inn/data/batches.h"
#include "inn/data/dataset.h"
#include "inn/network/network.h"
#include "inn/train/evaluate.h"

namespace inn {

struct Agreement {
  double agreement = 0;  // agreeing/count
  int64_t agreeing =
      0;              // where both networks have their largest output at the same place, the first of equals
  int64_t count = 0;  // samples; positions where outputs are given for each of several
  double error = 0;   // Σ (a − b)²/Σ (b − b̄)², b the outputs of the reference
};

/// Returns how far `network` gives what `reference` gives on `data`, both in evaluation mode and on the
/// device and in the dtype of the reference's state. Outputs are compared along axis 1 where they have four
/// axes or more ([N, C, H, W]), else along the last ([N, C], [N, positions, C]). Labels are not read. Throws
/// std::invalid_argument where there is no data and where outputs have fewer than two axes or unlike sizes.
Agreement agreement(const Network& network, const Network& reference, const Dataset& data,
                    const Normalization& normalization, const EvalOptions& options = {});

}  // namespace inn
