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

/// How long one step took it to where: for those who watch a run.
struct StepRecord {
  int64_t epoch, batch;  // from 0
  double loss;           // the mean over the batch
  double learning_rate;
};

/// Whose outputs a network learns beside the labels. A pass that has a teacher minimizes (1 − weight)·loss +
/// weight·distance, the distance being that of the loss (see LossEntry).
struct Distillation {
  /// The passes after the first one of a step learn the outputs of the first, which must be the widest (the
  /// sandwich rule; Yu and Huang, "Universally slimmable networks", ICCV 2019).
  bool in_place = false;
  /// A trained network whose outputs are learnt by the passes that have no teacher else.
  std::optional<Network> source = {};
  double weight = 0.5;     // in [0, 1]
  double temperature = 1;  // of the softmax of both; above 0
};

struct TrainOptions {
  int64_t epochs = 10;
  int64_t batch_size = 128;
  std::string optimizer = "sgd";       // a name of optimizers()
  double learning_rate = 0.1;          // after the warm-up
  double momentum = 0.9;               // of sgd
  double weight_decay = 0.0;           // of parameters of two axes and more only: not of norms, biases, grids
  std::string schedule = "cosine";     // a name of schedules()
  double warmup_epochs = 0;            // may be a fraction
  std::string loss = "cross_entropy";  // a name of losses()
  double label_smoothing = 0;          // in [0, 1)
  /// Which widths a step of an integral model with distributions runs at, as parse_width_rule reads it.
  std::string width_rule = "random";
  Distillation distillation = {};
  /// The forwards of training run in bfloat16 where torch's autocast says so; weights, gradients, loss and
  /// evaluation stay in the model's dtype, which must be float32.
  bool bfloat16 = false;
  /// The decay of an exponential moving average of weights and running statistics, in [0, 1); 0: none. The
  /// averages are what the metric sees and what the model holds at the end of the run.
  double ema = 0;
  double clip_norm = 0;  // gradients are scaled to at most this Euclidean norm; 0: never
  /// A name of regularizers(), over all groups that can be resized: `regularization` times its term is added
  /// to what is minimized, though not to the loss that is reported. Of an integral model the term is that of
  /// the source width.
  std::string regularizer = {};
  double regularization = 0;
  /// What the coefficients of a GrowingPenalty over the same groups grow by, at most, at the begin of every
  /// epoch, the more the smaller a channel's L2 norm is; 0: there is none. Its term is added as the
  /// regularizer's is.
  double growing_penalty = 0;
  /// The rules by which the groups of a plain network are found for these two; none: RuleTable::standard().
  std::optional<RuleTable> rules = std::nullopt;
  Augmentation augmentation = {};
  bool drop_last = false;  // as in BatchOptions
  uint64_t seed = 0;       // of the batches, of dropout and of random widths
  /// A file that is written after every epoch, on Ctrl-C, and every `checkpoint_interval` batches where that
  /// is not 0.
  std::filesystem::path checkpoint = {};
  int64_t checkpoint_interval = 0;
  /// Go on from `checkpoint` where that file exists. The options, the model and the data must be those of the
  /// run that wrote it: an integral model's kernel, quadrature, grids and order, the network's calls, what
  /// learns, the names of classes, the labels, and inputs (all of up to 64 samples, or the names of files).
  /// A model with a random grid can't go on.
  bool resume = false;
  /// A file of JSON lines, one an epoch, written anew by every run that does not resume.
  std::filesystem::path log = {};
  /// A folder for TensorBoard: the same figures in a file of events, written anew by every run.
  std::filesystem::path tensorboard = {};
  /// How many batches of the training samples, augmented as in training, batch norm's statistics are measured
  /// on at the end, where widths were drawn: those of the source width are seen too rarely in such a run. 0:
  /// they are left.
  int64_t recalibration_batches = 64;
  /// Called after every epoch with the model; the higher what it returns the better. It is recorded.
  std::function<double(NetworkModuleImpl&)> metric = nullptr;
  /// Says what the metric is of: a run is not resumed with another one.
  std::string metric_name = {};
  /// At the end of the run the model gets back the weights of the epoch with the best metric, the first of
  /// equals.
  bool keep_best = false;
  /// The run ends after so many epochs one after the other without a better metric; 0: never.
  int64_t patience = 0;
  /// Called after every step.
  std::function<void(const StepRecord&)> on_step = nullptr;
  /// A progress bar on stderr, where that is a terminal.
  bool progress = true;
};

/// One epoch of a run. Loss and accuracy are those of the steps themselves, at the weights and widths of
/// each.
struct EpochRecord {
  int64_t epoch;  // from 0
  double loss;
  std::optional<double> accuracy;  // none of a regression
  double learning_rate, seconds;
  std::optional<double> metric;
  double time = 0;  // of its end, in seconds since 1970
};

struct TrainResult {
  std::vector<EpochRecord> epochs;  // those before a resumption too
  /// Whether Ctrl-C ended the run. The checkpoint, where there is one, then holds the step last done.
  bool interrupted = false;
  std::optional<double> best_metric;
};

/// Trains `model` on `data`, images being normalized, on the device and in the dtype of the model's
/// parameters.
///
/// Only parameters that require gradients learn. An integral model draws its widths as its distributions say;
/// its groups have the widths that they had before when this returns, but for random grids. The model is in evaluation mode then.
/// Where no tensor of the network itself learns (after tune_grids()), the model runs in evaluation mode while
/// it learns: batch norm with its running statistics, no dropout, since that is what the grids are tuned for.
///
/// On the CPU a function of its arguments: the same seed gives the same weights, bit for bit, on one machine
/// with one number of threads, whether the run was interrupted and resumed or not. torch's generators are put
/// back as they were.
///
/// Throws std::invalid_argument for options out of their range, data without labels or of more classes than
/// the network gives; std::runtime_error where a file can't be written, where the checkpoint belongs to
/// another model or run, and where a loss or a weight is not finite any more, naming epoch and batch: the
/// checkpoint then still holds the last good state.
TrainResult train(NetworkModuleImpl& model, const Dataset& data, const Normalization& normalization,
                  const TrainOptions& options);

}  // namespace inn
