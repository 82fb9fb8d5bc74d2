#pragma once
// Least squares on the data: what a resampled network's layers still can make good.

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "inn/calibration/calibration.h"
#include "inn/dimension/groups.h"
#include "inn/network/network.h"
#include "inn/resampling/maps.h"

namespace inn {

struct RefitOptions {
  /// Ridges that are tried, as fractions of the mean squared feature; the best on held-out samples is taken.
  std::vector<double> ridges = {1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1};
  /// Every so-manieth sample is held out while the ridge is chosen.
  int64_t held_out_every = 5;
  /// Of each sample at most so many positions of an image or a sequence are looked at, drawn by `seed`.
  int64_t positions = 128;
  uint64_t seed = 0;
  /// After a layer is fit that alone reads one whose outputs were cut: Gauss-Newton steps on both together,
  /// each solved by so many conjugate gradient iterations on at most the first so many samples (fewer
  /// where each has many positions). They make good what
  /// the nonlinearity between the two hides from least squares. 0 steps: none.
  int64_t gauss_newton_steps = 2;
  int64_t gauss_newton_iterations = 4;
  int64_t gauss_newton_samples = 500;
  /// Times that the network is gone through.
  int64_t sweeps = 1;
  /// Bytes for activations that are held between layers, instead of computed again, in each of both networks.
  int64_t memory = int64_t{256} << 20;
  /// Only layers that read a group whose width changed; not those that only get changed inputs.
  bool only_readers = false;
  /// Layers whose normal equations would have more features than this keep the weights that they have.
  int64_t most_features = 8192;
  /// Called after each layer.
  std::function<void(int64_t done, int64_t all, const std::string& layer)> progress = nullptr;
};

/// What became of one layer.
struct LayerFit {
  std::string layer = {};   // the weight's name
  std::string kept = {};    // why it keeps the weights that it has; "" where it was fit
  std::string target = {};  // "its output", or "the sum that it ends in"
  int64_t rows = 0, features = 0;
  double ridge = 0;  // infinite: no fit was better on the samples held out
  /// Squared errors as fractions of the target's variation: on all samples, and on those held out.
  double error_before = 0, error_after = 0, held_out_before = 0, held_out_after = 0;
  /// The factor by which Gauss-Newton steps lowered the error of its block on samples held out; 1: none did.
  double block_gain = 1;
  double seconds = 0;
};

/// Refits the weights of `resampled`, which `maps` gave of `source`, so that each layer gives what it gave in
/// the source network, from the inputs that it now gets (docs/math.md, "Data-aware quadrature"). Returns what
/// became of each layer that a map or a changed input touches, in network order.
///
/// Layers are linear maps and convolutions of any kind; the targets are the source's outputs under the map of
/// the layer's own output axis. Where a layer ends a residual branch, its target is the source's sum less the
/// other summand as it now is. A bias is refit too; a layer without one that is followed by a batch norm has
/// that norm's running mean for it. Each fit starts from the weights that are there: an unlimited ridge
/// would leave them as they are. Labels are not used. Memory is as the options say, plus normal equations of
/// one layer, whatever the count of samples.
///
/// Throws std::invalid_argument where the calibration gives no batch, and std::runtime_error naming the layer
/// whose activations are not finite.
std::vector<LayerFit> refit(Network& resampled, const AnalysedNetwork& source,
                            const std::map<GroupId, GroupMaps>& maps, const Calibration& calibration,
                            const RefitOptions& options = {});

struct TogetherOptions {
  int64_t steps = 2;
  int64_t iterations = 8;  // of conjugate gradients in each
  int64_t samples = 1000;  // at most
  /// Every so-manieth sample is held out to say how far a step goes.
  int64_t held_out_every = 5;
  uint64_t seed = 0;
  int64_t memory = int64_t{256} << 20;  // as in RefitOptions
  /// Called after each iteration of each step.
  std::function<void(int64_t done, int64_t all, const std::string& step)> progress = nullptr;
};

/// Gauss-Newton steps on all layers of `resampled` at once, which `refit` has gone through, towards the
/// source's outputs and the outputs of its blocks. Each iteration runs the network three times forward and
/// once back, on all the samples. Returns the factor by which the error fell on the samples held out; 1 where
/// no step helped.
double refit_together(Network& resampled, const AnalysedNetwork& source,
                      const std::map<GroupId, GroupMaps>& maps, const Calibration& calibration,
                      const TogetherOptions& options = {});

}  // namespace inn
