#pragma once
// Training of networks and integral models.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "inn/data/batches.h"
#include "inn/data/dataset.h"
#include "inn/dimension/rule.h"
#include "inn/model/network_module.h"

namespace inn {

/// Progress of one training step.
struct StepRecord {
  int64_t epoch, batch;  // from 0
  double loss;           // the mean over the batch
  double learning_rate;
};

/// Knowledge distillation. A pass with a teacher minimizes (1 − weight)·loss + weight·distance, with the
/// distance of the loss (see LossEntry).
struct Distillation {
  /// In-place distillation: the first pass of a step, which must be the widest, is the teacher of the others
  /// (the sandwich rule; Yu and Huang, "Universally slimmable networks", ICCV 2019).
  bool in_place = false;
  /// A trained network: the teacher of the passes that have no other.
  std::optional<Network> source = {};
  double weight = 0.5;     // in [0, 1]
  double temperature = 1;  // softmax temperature; positive
};

struct TrainOptions {
  int64_t epochs = 10;
  int64_t batch_size = 128;
  std::string optimizer = "sgd";       // a name of optimizers()
  double learning_rate = 0.1;          // after the warm-up
  double momentum = 0.9;               // of sgd
  double weight_decay = 0.0;           // of parameters with two or more dimensions only
  std::string schedule = "cosine";     // a name of schedules()
  double warmup_epochs = 0;            // may be a fraction
  std::string loss = "cross_entropy";  // a name of losses()
  double label_smoothing = 0;          // in [0, 1)
  /// Width rule of an integral model with distributions, in the form that parse_width_rule accepts.
  std::string width_rule = "random";
  Distillation distillation = {};
  /// Use torch's autocast to bfloat16 in training forward passes; weights, gradients, loss and evaluation
  /// stay in the model's dtype, which must be float32.
  bool bfloat16 = false;
  /// The decay of an exponential moving average of weights and running statistics, in [0, 1); 0: none. The
  /// averages are evaluated by the metric and are the model's weights at the end.
  double ema = 0;
  double clip_norm = 0;  // maximum gradient norm; 0: no clipping
  /// A name of regularizers(), over all resizable groups: `regularization` times its term is added to the
  /// objective, but not to the reported loss. For an integral model the term is computed at the source width.
  std::string regularizer = {};
  double regularization = 0;
  /// Maximum increase of the coefficients of a GrowingPenalty over the same groups at the start of every
  /// epoch, larger for channels with smaller L2 norm; 0: none. Its term is added like the regularizer's.
  double growing_penalty = 0;
  /// Operator rules for analyzing an ordinary network; null: RuleTable::standard().
  std::optional<RuleTable> rules = std::nullopt;
  Augmentation augmentation = {};
  bool drop_last = false;  // as in BatchOptions
  uint64_t seed = 0;       // for batches, dropout and random widths
  /// Checkpoint file, written after every epoch, on Ctrl-C, and every `checkpoint_interval` steps if not 0.
  std::filesystem::path checkpoint = {};
  int64_t checkpoint_interval = 0;
  /// Resume from `checkpoint` if that file exists. The options, the model and the data must be those of the
  /// run that wrote it: kernel, quadrature, grids and order of an integral model, the network's calls, the
  /// trained parameters, class names, labels, and inputs (up to 64 samples, or file names). A model with a
  /// random grid cannot be resumed.
  bool resume = false;
  /// A log file with one line of JSON per epoch, overwritten by runs that do not resume.
  std::filesystem::path log = {};
  /// A folder for a TensorBoard event file with the same figures, rewritten by every run.
  std::filesystem::path tensorboard = {};
  /// Number of augmented training batches for recalibrating batch norm at the end, if widths were random:
  /// such a run sees the source width too rarely. 0: no recalibration.
  int64_t recalibration_batches = 64;
  /// Validation metric, called after every epoch with the model and recorded; higher is better.
  std::function<double(NetworkModuleImpl&)> metric = nullptr;
  /// Identifies the metric: a run cannot be resumed with another one.
  std::string metric_name = {};
  /// At the end, restore the weights of the epoch with the best metric (the first for ties).
  bool keep_best = false;
  /// Stop after this number of consecutive epochs without improvement of the metric; 0: never.
  int64_t patience = 0;
  /// Called after every step.
  std::function<void(const StepRecord&)> on_step = nullptr;
  /// A progress bar on stderr if it is a terminal.
  bool progress = true;
};

/// One epoch of a run. Loss and accuracy are averages over its steps, each at its own weights and widths.
struct EpochRecord {
  int64_t epoch;  // from 0
  double loss;
  std::optional<double> accuracy;  // none for a regression
  double learning_rate, seconds;
  std::optional<double> metric;
  double time = 0;  // of its end, in seconds since the Unix epoch
};

struct TrainResult {
  std::vector<EpochRecord> epochs;  // including those before resuming
  /// Whether Ctrl-C stopped the run. The checkpoint, if any, is then of the last finished step.
  bool interrupted = false;
  std::optional<double> best_metric;
};

/// Trains `model` on `data` (images are normalized), on the device and in the dtype of the model's
/// parameters.
///
/// Only parameters that require gradients are trained. An integral model draws widths from its distributions;
/// its widths are restored at the end (except for random grids), and the model is then in evaluation mode. If
/// no tensor of the network itself is trained (after tune_grids()), the model runs in evaluation mode during
/// training: batch norm with running statistics, no dropout.
///
/// On the CPU the result is a deterministic function of the arguments: the same seed gives the same weights,
/// bit for bit, on one machine with a fixed number of threads, whether the run was interrupted and resumed or
/// not. The state of torch's generators is restored.
///
/// Throws std::invalid_argument for options out of range, and data without labels or with more classes than
/// the network's outputs; std::runtime_error if a file cannot be written, if the checkpoint belongs to
/// another model or run, and for a non-finite loss or weight, naming epoch and batch; the checkpoint then
/// still has the last good state.
TrainResult train(NetworkModuleImpl& model, const Dataset& data, const Normalization& normalization,
                  const TrainOptions& options);

}  // namespace inn
