#pragma once
// The options of a training run, as train and tune take them.

#include <string>
#include <vector>

#include "inn/train/train.h"
#include "options/general.h"
#include "options/image_options.h"

namespace CLI {
class App;
}

namespace inn::cli {

struct TrainingOptions {
  std::string data = {};
  ImageOptions images = {};
  std::string regularize = {};  // NAME:COEFFICIENT
  std::string loss = {};        // by the data where it is empty
  std::vector<std::string> distill = {};
  TrainOptions train = {};
};

/// Declares --data, what add_image_options does, --epochs and the rest of the recipe, --checkpoint, --resume
/// --log and --tensorboard.
void add_training_options(CLI::App& app, TrainingOptions& options);

/// Returns the recipe with the checkpoint's name filled in (that of the output with ".checkpoint" behind it)
/// and the files' folders checked. Throws UsageError for a name that no optimizer or schedule has.
TrainOptions recipe_of(const TrainingOptions& options, const std::filesystem::path& output, uint64_t seed);

/// Where --loss says nothing, classes are learnt by cross entropy and targets by their mean square error.
void choose_loss(const TrainingOptions& options, const Dataset& data, TrainOptions& recipe);

/// Throws where Ctrl-C ended the run, saying how to go on.
void check_finished(const TrainOptions& recipe, const TrainResult& result);
/// Removes the checkpoint that had no name of its own: what was trained is in its file now.
void drop_checkpoint(const TrainingOptions& options, const TrainOptions& recipe);

/// Prints a table of the epochs, or with --json {"output", "epochs": [{"epoch", "loss", "accuracy",
/// "learning_rate", "seconds", "metric"}]}, no accuracy of a regression, a metric where data is held out; and
/// what add_skipped adds.
void report_training(const TrainResult& result, const TrainingOptions& options,
                     const std::filesystem::path& output, const GeneralOptions& general);

}  // namespace inn::cli
