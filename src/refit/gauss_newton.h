#pragma once
// Joint Gauss-Newton steps on several layers towards their outputs in the source network.

#include <cstdint>
#include <functional>
#include <string>

#include "fit_plan.h"
#include "inn/calibration/activation_cache.h"

namespace inn {

/// How many steps are made, and from what.
struct GaussNewtonOptions {
  int64_t steps = 1, iterations = 4, samples = 500;
  int64_t held_out_every = 5;
  /// Relative to the mean of the curvature's diagonal.
  double damping = 1e-3;
  uint64_t seed = 0;
  int64_t memory = int64_t{256} << 20;  // bytes for the targets; the rest is computed again
  /// By iterations.
  std::function<void(int64_t done, int64_t all, const std::string& step)> progress = nullptr;
};

/// Lowers Σ over targets of ‖target − value‖², each over its variation, on the calibration samples, in the
/// weights of the layers: linearizes the values in them, solves by a few preconditioned conjugate gradient
/// iterations, and takes the part of the step that is best on samples that the step was not made from. The
/// preconditioner of a layer is the Kronecker product of its inputs' and its outputs' second moments (Martens
/// and Grosse, 2015). Where nothing but a ReLU reads a target, it is compared behind that ReLU.
///
/// Both activation caches stand at or before the first layer. Returns by which factor the error on the samples held out
/// fell (1: no step helped).
double gauss_newton(ActivationCache& source, ActivationCache& present, const JointFit& joint,
                    const GaussNewtonOptions& options);

}  // namespace inn
