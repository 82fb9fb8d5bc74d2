#pragma once
// One training run.

#include <torch/optim/optimizer.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint.h"
#include "inn/data/batches.h"
#include "inn/dimension/groups.h"
#include "inn/model/integral_model.h"
#include "inn/pruning/regularization.h"
#include "inn/train/recipe.h"
#include "inn/train/train.h"
#include "objective.h"
#include "weight_average.h"

namespace inn {

class Trainer {
 public:
  Trainer(NetworkModuleImpl& model, const Dataset& data, const Normalization& normalization,
          const TrainOptions& options);

  TrainResult run();

 private:
  /// Runs the rest of the current epoch. Returns false if interrupted by Ctrl-C.
  bool run_epoch();
  void step(const Batch& batch);
  /// Makes the gradients and the value of a step those of all ranks' samples.
  void sum_over_all_ranks(Objective::Value& value);
  /// Makes buffers (running statistics) the means of those of all ranks.
  void average_buffers();
  /// Increases the coefficients of the growing penalty, by the current weights.
  void grow_penalty();
  /// Adds the gradients of the regularizer and of the growing penalty, if any.
  void regularize() const;
  /// Accuracy of the epoch so far; none for a regression.
  std::optional<double> accuracy() const;
  void finish_epoch();
  /// Evaluates the metric and keeps the weights if it is the best so far.
  std::optional<double> measure();
  /// The record with the best metric (the first for ties); null if there is none.
  const EpochRecord* best_record() const;
  /// Whether patience is exhausted.
  bool out_of_patience() const;
  /// Sets the final weights: the best ones, the averages, or the current ones.
  void take_result();
  /// Recalibrates batch norm if the steps could not track its statistics.
  void recalibrate_source();

  std::shared_ptr<const AnalysedNetwork> regularized_network() const;
  NamedTensors model_tensors() const;
  std::map<std::string, std::string> run_description() const;
  void save() const;
  void resume();
  /// Writes the epochs so far to the log, each once, however often the run was resumed.
  void begin_logs() const;
  void append_logs(const EpochRecord& record) const;
  void check(const Checkpoint& kept) const;
  void restore_optimizer(const Checkpoint& kept);
  void restore_generators(const Checkpoint& kept);
  void restore_penalty(const Checkpoint& kept);
  [[noreturn]] void refuse(const std::string& why) const;
  /// Throws the error for non-finite numbers.
  [[noreturn]] void stop(const std::string& what, int64_t batch) const;
  void require_finite_weights() const;

  NetworkModuleImpl& model_;
  IntegralModelImpl* integral_;  // the same model, where it is one
  Batches batches_;
  const TrainOptions& options_;
  Objective objective_;
  const OptimizerEntry& optimizer_entry_;
  at::TensorOptions place_;
  bool weights_learn_;                                  // not only grids
  std::shared_ptr<const AnalysedNetwork> regularized_;  // whose groups the regularizers are for
  std::optional<GrowingPenalty> growing_;
  std::map<std::string, at::Tensor> learning_;
  std::unique_ptr<torch::optim::Optimizer> optimizer_;
  std::optional<WeightAverage> average_;
  Checkpoint
      state_;  // counts, records and the best weights; the other tensors are gathered when it is written
};

}  // namespace inn
