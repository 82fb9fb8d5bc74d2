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
  /// Runs the rest of the epoch that the state stands in. False: Ctrl-C ended it.
  bool run_epoch();
  void step(const Batch& batch);
  /// The coefficients of the growing penalty grow, by the weights as they are.
  void grow_penalty();
  /// Adds the gradients of the terms of the regularizer and of the growing penalty, where there are such.
  void regularize() const;
  /// Of the epoch so far; none of a regression.
  std::optional<double> accuracy() const;
  void finish_epoch();
  /// Asks for the metric, and keeps the weights where it is the best so far.
  std::optional<double> measure();
  /// The record with the best metric, the first of equals; null where there is none.
  const EpochRecord* best_record() const;
  /// Whether the best epoch is so long ago that the run ends.
  bool out_of_patience() const;
  /// The model gets the weights that the run is for: the best ones, or the averages, or its own.
  void take_result();
  /// Measures batch norm's statistics where the steps could not keep them.
  void recalibrate_source();

  std::shared_ptr<const AnalysedNetwork> regularized_network() const;
  NamedTensors model_tensors() const;
  std::map<std::string, std::string> run_description() const;
  void save() const;
  void resume();
  /// Writes the epochs so far into the log, so that a line is there once however often the run was resumed.
  void begin_logs() const;
  void append_logs(const EpochRecord& record) const;
  void check(const Checkpoint& kept) const;
  void restore_optimizer(const Checkpoint& kept);
  void restore_generators(const Checkpoint& kept);
  void restore_penalty(const Checkpoint& kept);
  [[noreturn]] void refuse(const std::string& why) const;
  /// Raises what stops a run whose numbers have left the finite ones.
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
