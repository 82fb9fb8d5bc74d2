#pragma once
// Refitting the layers of a resampled network to data.

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
  /// Candidate ridge parameters, relative to each feature's squares; the best on validation samples is used. Ridges
  /// are towards the weights that the layer has, and where channels were selected also towards the source's.
  std::vector<double> ridges = {1e-6, 1e-4, 1e-2, 1e-1, 1, 10, 100};
  /// Every k-th sample is used for validation while the ridge is chosen.
  int64_t held_out_every = 5;
  /// Maximum number of positions (of an image or a sequence) used per sample, drawn by `seed`.
  int64_t positions = 128;
  uint64_t seed = 0;
  /// After fitting a layer that is the only consumer of a layer whose outputs were cut: Gauss-Newton steps on
  /// both jointly, each with this number of conjugate-gradient iterations on at most this number of samples
  /// (fewer if each has many positions). They account for the nonlinearity between the two, which least
  /// squares ignores. 0 steps: off.
  int64_t gauss_newton_steps = 2;
  int64_t gauss_newton_iterations = 4;
  int64_t gauss_newton_samples = 500;
  /// Number of sweeps over the network.
  int64_t sweeps = 1;
  /// Bytes for cached activations in each of the two networks; the rest is recomputed.
  int64_t memory = int64_t{256} << 20;
  /// Refit only layers that consume a group whose width changed, not those whose inputs merely changed.
  bool only_readers = false;
  /// Layers with more features than this are not refit; those with more outputs (a vocabulary) take no part in
  /// Gauss-Newton steps.
  int64_t most_features = 8192;
  /// Values of the resampled network that are to equal another value of the source: a block's input and the source's
  /// output of that block, where the block was bypassed (`inn/depth/`).
  std::map<ValueId, ValueId> targets = {};
  /// Called after each layer.
  std::function<void(int64_t done, int64_t all, const std::string& layer)> progress = nullptr;
  /// Asked before each layer: whether this and the later ones keep the weights that they have.
  std::function<bool()> stop = nullptr;
};

/// Report about one layer.
struct LayerFit {
  std::string layer = {};                       // the weight's name
  std::string skip_reason = {};                 // why it was not refit; "" if it was
  std::string target = {};                      // "its output", or "the residual sum that it ends in"
  int64_t samples = 0, rows = 0, features = 0;  // those that were used
  double ridge = 0;                             // infinite: no fit was better on the validation samples
  /// Squared errors relative to the target's variation: on all samples, and on the validation samples.
  double error_before = 0, error_after = 0, held_out_before = 0, held_out_after = 0;
  /// The factor by which Gauss-Newton steps changed the error of its block on validation samples; 1: no
  /// improvement.
  double block_gain = 1;
  double seconds = 0;
};

/// Refits the weights of `resampled`, made from `source` by `maps`, such that each layer reproduces its
/// outputs in the source network from its current inputs (docs/math.md, "Data-aware quadrature"). Returns a
/// report for each layer that is affected by a map or a changed input, in network order.
///
/// Layers are linear maps and convolutions of any kind; the targets are the source's outputs under the map of
/// the layer's own output axis. If a layer ends a residual branch, its target is the source's sum minus the
/// current other summand. Biases are refit too; for a layer without bias that is followed by batch norm, the
/// running mean is refit instead. Each fit is regularized towards the current weights. Labels are not used.
/// Memory is bounded by the options plus the normal equations of one layer, independent of the number of
/// samples.
///
/// Throws std::invalid_argument if the calibration has no batch, and std::runtime_error naming a layer with
/// non-finite activations.
std::vector<LayerFit> refit(Network& resampled, const AnalysedNetwork& source,
                            const std::map<GroupId, GroupMaps>& maps, const Calibration& calibration,
                            const RefitOptions& options = {});

/// Returns for the user in which layers the samples were too few: where the error on samples held out is well above
/// the error on those that were fit, with the number of samples that would be enough (`samples` were given; layers that used fewer needed no more). By
/// the law of least squares: of N rows and F unknowns the ratio of the two errors is (1 + F/N)/(1 − F/N), with an
/// F of the data, since rows of one sample are alike. Layers with fewer rows than features are always named.
std::vector<std::string> sample_warnings(const std::vector<LayerFit>& layers, int64_t samples);

struct TogetherOptions {
  int64_t steps = 2;
  int64_t iterations = 8;  // conjugate-gradient iterations per step
  int64_t samples = 1000;  // at most
  /// Every k-th sample is used for validation, which determines the step length.
  int64_t held_out_every = 5;
  uint64_t seed = 0;
  int64_t memory = int64_t{256} << 20;  // as in RefitOptions
  /// Called after each iteration of each step.
  std::function<void(int64_t done, int64_t all, const std::string& step)> progress = nullptr;
};

/// Joint Gauss-Newton steps on all layers of `resampled` after `refit`, towards the source's outputs and
/// block outputs. Each iteration runs the network three times forward and once backward on all samples.
/// Returns the factor by which the error on validation samples changed; 1 if no step helped.
double refit_together(Network& resampled, const AnalysedNetwork& source,
                      const std::map<GroupId, GroupMaps>& maps, const Calibration& calibration,
                      const TogetherOptions& options = {});

}  // namespace inn
