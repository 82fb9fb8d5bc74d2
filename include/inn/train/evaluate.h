#pragma once
// How good a network is on a data set, at one width or at several.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "inn/data/batches.h"
#include "inn/data/dataset.h"
#include "inn/model/integral_model.h"
#include "inn/model/network_module.h"
#include "inn/network/network.h"

namespace inn {

/// What is told of floating targets beside the loss.
struct Regression {
  double absolute;  // the mean absolute error
  double psnr;  // the mean over samples of −10·log₁₀ of their mean square error, at most 100: dB, where
                // targets span [0, 1]
};

struct EvalResult {
  double accuracy = 0;  // correct/count
  int64_t correct = 0;  // labels that have the largest output, the first one of equals
  int64_t count = 0;    // of labels: one a sample, or one a position
  double loss = 0;      // the mean cross entropy of them; its exponential is the perplexity
  /// Of floating targets alone: accuracy and correct are 0 then, count is of samples, the loss is the mean
  /// square error.
  std::optional<Regression> regression = {};
};

struct EvalOptions {
  int64_t batch_size = 256;
  bool progress = false;  // a bar on stderr, where that is a terminal
};

/// Returns how good the network is on `data`, in evaluation mode, without gradients, on the device and in the
/// dtype of its state. Of labels [N] the network gives [N, classes], of labels [N, T] it gives [N, T,
/// classes], of floating targets outputs of their size. Throws std::invalid_argument where the data has no
/// labels or more classes than the network gives.
EvalResult evaluate(const Network& network, const Dataset& data, const Normalization& normalization,
                    const EvalOptions& options = {});

/// Returns the same of a module, an integral model at its present widths. Its mode is put back as it was.
EvalResult evaluate(NetworkModuleImpl& model, const Dataset& data, const Normalization& normalization,
                    const EvalOptions& options = {});

struct WidthOptions {
  EvalOptions eval = {};
  /// Samples, without labels, on which batch norm's statistics are measured anew at every width; none: as
  /// sampled.
  std::optional<Dataset> calibration = {};
  /// Of the calibration's images: as in training, since a network is made for the statistics that it saw
  /// there.
  Augmentation augmentation = {};
};

struct WidthResult {
  double width;  // the fraction
  EvalResult result;
};

/// Returns the result of the discretized model at each fraction of its groups' source widths. The model is
/// not changed. Throws std::invalid_argument as evaluate does, and for a fraction that the model can't take.
std::vector<WidthResult> evaluate_widths(const IntegralModelImpl& model, const Dataset& data,
                                         const Normalization& normalization,
                                         std::span<const double> fractions, const WidthOptions& options = {});

/// Returns a metric of models for TrainOptions: that of the fraction at which it is lowest, each the accuracy
/// on `held_out`, or of floating targets minus the loss. A plain network has one width, and no fractions are
/// read. Throws as evaluate_widths does, when it is called.
std::function<double(NetworkModuleImpl&)> worst_width(Dataset held_out, Normalization normalization,
                                                      std::vector<double> fractions,
                                                      WidthOptions options = {});

/// Replaces the running statistics of every batch norm by those of `data` in its batches (epoch 0). The
/// network's tensors are written in place. max_batches: 0 takes all samples.
void recalibrate(Network& network, const Dataset& data, const BatchOptions& options, int64_t max_batches = 0);

}  // namespace inn
