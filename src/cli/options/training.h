#pragma once
// Options of training runs (train and tune).

#include <string>
#include <vector>

#include "inn/train/train.h"
#include "options/run_context.h"

namespace CLI {
class App;
}

namespace inn::cli {

struct TrainingOptions {
  std::string data = {};
  std::string regularize = {};  // NAME:COEFFICIENT
  std::string loss = {};        // empty: chosen by the data
  std::vector<std::string> distill = {};
  TrainOptions train = {};
};

/// Declares --data, --epochs and the rest of the recipe, --checkpoint, --resume
/// --log and --tensorboard.
void add_training_options(CLI::App& app, TrainingOptions& options);

/// Returns the recipe with the checkpoint's name filled in (that of the output with ".checkpoint" behind it)
/// and the files' folders checked. Throws UsageError for a name that no optimizer or schedule has.
TrainOptions recipe_of(const TrainingOptions& options, const std::filesystem::path& output, uint64_t seed);

/// Default of --loss: cross entropy for classes, mean squared error for targets.
void choose_loss(const TrainingOptions& options, const Dataset& data, TrainOptions& recipe);

/// Throws if Ctrl-C stopped the run, with instructions to resume.
void check_finished(const TrainOptions& recipe, const TrainResult& result);
/// Removes a checkpoint with the default name after success.
void drop_checkpoint(const TrainingOptions& options, const TrainOptions& recipe);

/// Prints a table of the epochs, or with --json {"output", "epochs": [{"epoch", "loss", "accuracy",
/// "learning_rate", "seconds", "metric"}]}, without accuracy for regressions, and with a metric for
/// validation data; and what add_skipped adds.
void report_training(const TrainResult& result, const std::filesystem::path& output,
                     const RunContext& context);

}  // namespace inn::cli
