#pragma once
// Evaluation of a network on a data set, at one or several widths.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "inn/calibration/calibration.h"
#include "inn/data/batches.h"
#include "inn/data/dataset.h"
#include "inn/model/integral_model.h"
#include "inn/model/network_module.h"
#include "inn/network/network.h"
#include "inn/train/attack.h"

namespace inn {

/// Metrics for floating-point targets besides the loss.
struct Regression {
  double absolute;  // mean absolute error
  /// Mean over samples of −10·log₁₀ of the mean squared error, at most 100; in dB for targets in [0, 1].
  double psnr;
};

struct EvalResult {
  double accuracy = 0;  // correct/count
  int64_t correct = 0;  // number of correct predictions (argmax)
  int64_t count = 0;    // number of labels: one per sample or per position
  double loss = 0;      // mean cross entropy; its exponential is the perplexity
  /// Only for floating-point targets: accuracy and correct are then 0, count is the number of samples, and
  /// the loss is the mean squared error.
  std::optional<Regression> regression = {};
};

struct EvalOptions {
  int64_t batch_size = 256;
  bool progress = false;  // a progress bar on stderr if it is a terminal
  /// Changes of the images first: a corruption, then an attack. For class labels.
  std::optional<Corruption> corruption = {};
  std::optional<Attack> attack = {};
  uint64_t seed = 0;  // of their random numbers
};

/// Evaluates the network on `data`, in evaluation mode, without gradients, on the device and in the dtype of
/// its state. For labels [N] the outputs are [N, classes], for labels [N, T] they are [N, T, classes], and
/// for floating-point targets they have the targets' size. Throws std::invalid_argument if the data has no
/// labels, or more classes than the outputs.
EvalResult evaluate(const Network& network, const Dataset& data, const Normalization& normalization,
                    const EvalOptions& options = {});

/// The same on labelled batches of inputs.
EvalResult evaluate(const Network& network, const Calibration& data);

/// The same for a module, e.g. an integral model at its current widths. Its training mode is restored.
EvalResult evaluate(NetworkModuleImpl& model, const Dataset& data, const Normalization& normalization,
                    const EvalOptions& options = {});

struct WidthOptions {
  EvalOptions eval = {};
  /// Unlabelled samples for recalibrating batch norm at every width; none: statistics are sampled from those
  /// of the source width.
  std::optional<Dataset> calibration = {};
  /// Augmentation of the calibration images, as in training.
  Augmentation augmentation = {};
};

struct WidthResult {
  double width;  // the fraction
  EvalResult result;
};

/// Evaluates the discretized model at each fraction of its groups' source widths. The model is not changed.
/// Throws std::invalid_argument as evaluate does, and for invalid fractions.
std::vector<WidthResult> evaluate_widths(const IntegralModelImpl& model, const Dataset& data,
                                         const Normalization& normalization,
                                         std::span<const double> fractions, const WidthOptions& options = {});

/// Returns a metric for TrainOptions: the minimum over the fractions of the accuracy on `held_out` (for
/// floating-point targets, of minus the loss). For an ordinary network fractions are ignored. When called,
/// throws as evaluate_widths does.
std::function<double(NetworkModuleImpl&)> worst_width(Dataset held_out, Normalization normalization,
                                                      std::vector<double> fractions,
                                                      WidthOptions options = {});

/// Replaces the running statistics of every batch norm by those of `data` in its batches (epoch 0). The
/// network's tensors are written in place. max_batches: 0 takes all samples.
void recalibrate(Network& network, const Dataset& data, const BatchOptions& options, int64_t max_batches = 0);

/// The same on batches of inputs, without their labels.
void recalibrate(Network& network, const Calibration& data);

}  // namespace inn
