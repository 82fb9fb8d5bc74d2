#pragma once
// A network made smaller within a budget and a time, by all means that need no labels.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "inn/budget/budget.h"
#include "inn/calibration/calibration.h"
#include "inn/core/progress.h"
#include "inn/methods/resample_by.h"
#include "inn/model/any_model.h"
#include "inn/pruning/pruning.h"
#include "inn/refit/distill.h"
#include "inn/train/dataset_calibration.h"

namespace inn {

/// Where the network will run. Except on `any`, vectors and matrices are of multiples of channels, so that other widths cost as much
/// as the next multiple; on `cpu` the order of weights in memory matters too. Multiples of 8 suit all of them (docs/deploy.md has the
/// sources).
enum class DeploymentTarget { any, cpu, cuda, tensorrt, xnnpack };

/// Returns "any", "cpu", "cuda", "tensorrt" or "xnnpack".
const char* to_string(DeploymentTarget target);
/// Throws std::invalid_argument for other names.
DeploymentTarget parse_target(const std::string& name);

struct ShrinkOptions {
  Budget budget = {};
  /// Which groups may be cut, limits of widths, and widths by name; `keep` and `keep_of` are not used. By default all
  /// learned groups.
  PruneOptions widths = {};
  /// What is least where the budget is a quality.
  Budget::Of smallest = Budget::Of::macs;
  /// The time, at most, with all measurements. It is not enough where one step takes longer.
  double seconds = 600;
  /// Rounds of the choice of widths (BudgetSearchOptions::rechecks), and of the search for a quality.
  int64_t rechecks = 4, quality_rounds = 7;
  /// Joint steps over all layers after the refits, where the time allows.
  int64_t together = 2;
  /// Whether the time that is left is used for distillation.
  bool distill = true;
  /// For inference: batch norms are folded into the layers before them.
  bool fold_batch_norm = true;
  /// Except for `any`, widths are multiples of 8 where most groups have 64 channels or more, of 4 where they have 32 (unless the limits
  /// say otherwise); for `cpu` weights are stored channels last where that is measured to be faster.
  DeploymentTarget target = DeploymentTarget::cpu;
  uint64_t seed = 0;
  /// Called often with the stage ("error curves", "widths", "refit", …) and the progress within it.
  std::function<void(const std::string& stage, int64_t done, int64_t all, const std::string& step)> progress =
      nullptr;
  /// Whether to end with the best so far.
  std::function<bool()> stop = nullptr;
};

/// The samples for making and judging the network, on the device of the model.
struct ShrinkSamples {
  Calibration fitting;            // for everything that is measured and fit
  Calibration held_out;           // other samples, to compare the network with the source
  Calibration evaluated = {};     // labelled ones, for the accuracy; may be without batches: none
  DistillationData distillation;  // without the samples held out
};

/// Holds out every fifth sample. `evaluated` may be null.
ShrinkSamples shrink_samples(const AnyModel& model, const CalibrationData& data,
                             const CalibrationData* evaluated = nullptr);
ShrinkSamples shrink_samples(const Calibration& data, const Calibration& evaluated = {});

/// A rate with the standard error of so many samples.
struct Rate {
  double rate;
  int64_t count;

  double standard_error() const;
};

/// What a network costs and how good it is.
struct NetworkFigures {
  double macs, parameters;  // of one input
  int64_t memory;           // bytes: the state, and the peak of the activations
  double latency;           // seconds of one input, the median
  std::optional<Rate> agreement =
      {};  // of the argmax with the source's, on the samples held out; not of the source
  std::optional<double> output_error = {};  // squared, relative to the variation of the source's outputs
  std::optional<Rate> accuracy = {};        // on the labelled samples
  std::optional<double> loss = {};          // there: cross entropy, or the mean squared error
};

/// One thing that was done.
struct ShrinkStage {
  std::string name, result;
  double seconds;
};

struct Shrunk {
  Network network;
  std::vector<std::pair<std::string, std::pair<int64_t, int64_t>>> widths;  // by group: the source's, and now
  NetworkFigures before, after;
  std::vector<ShrinkStage> stages;
  std::vector<LayerFit> layers;
  std::vector<std::string> notes;  // warnings, and what was left out for want of time
  double seconds;
};

/// Returns the plain network within the budget, as good as the time allows: widths chosen by error curves
/// (`error_curves`) and networks in which all groups are cut (`choose_jointly`), channels and weights by data-aware
/// quadrature with refits, joint steps on all layers, distillation in the time that is left, batch norms folded.
/// For a quality, the least cost (`smallest`) is searched for at which the network agrees with the source so often on the samples
/// held out, or is right so often on the evaluated ones; only there are labels used but to report the accuracy. When the time is over, or `stop` says so, the
/// best network so far is returned. Throws std::invalid_argument if the budget is not reachable, and as `error_curves`
/// and `resample_by` do.
Shrunk shrink(const AnyModel& model, const ShrinkSamples& samples, const ShrinkOptions& options = {});

}  // namespace inn
