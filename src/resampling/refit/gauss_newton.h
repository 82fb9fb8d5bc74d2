#pragma once
// Gauss-Newton steps on the layers of one block, towards what the block gave in the source network.

#include <optional>
#include <vector>

#include "inn/resampling/refit.h"
#include "resampling/refit/fit_plan.h"
#include "resampling/refit/replay.h"

namespace inn {

/// Lowers Σ ‖target − output‖² over the calibration samples in the weights of a block's layers: linearizes
/// the output in them, solves by a few preconditioned conjugate gradient iterations, and takes the part of
/// the step that is best on samples that the step was not made from. Where nothing but a ReLU reads the
/// output, values that are negative in both networks count as equal.
///
/// Both replays stand at or before the block's first layer. Returns by which factor the error on those
/// samples fell (1: no step helped).
double gauss_newton(Replay& source, Replay& present, const Block& block, const RefitOptions& options);

}  // namespace inn
