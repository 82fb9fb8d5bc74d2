#include "options/training.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <iostream>

#include "inn/core/error.h"
#include "inn/pruning/regularization.h"
#include "inn/report/table.h"
#include "inn/train/recipe.h"
#include "options/elastic_options.h"
#include "options/evaluation.h"
#include "options/limits.h"
#include "options/usage_error.h"
#include "output.h"

namespace inn::cli {
namespace {

template <class Entries>
std::string listed_names(const Entries& entries) {
  std::string text;
  for (const auto& entry : entries) text += (text.empty() ? "" : ", ") + entry.name;
  return text;
}

void add_recipe(CLI::App& app, TrainingOptions& options) {
  TrainOptions& train = options.train;
  const std::string group = "Recipe";
  const auto number = [&](const char* name, auto& value, const char* text) {
    app.add_option(name, value, text)->capture_default_str()->check(at_least(0))->group(group);
  };
  number("--epochs", train.epochs, "Number of epochs");
  app.add_option("--batch-size", train.batch_size, "Batch size")
      ->capture_default_str()
      ->check(at_least(1))
      ->group(group);
  app.add_option("--optimizer", train.optimizer, "Optimizer, one of " + listed_names(optimizers()))
      ->capture_default_str()
      ->group(group);
  number("--learning-rate", train.learning_rate, "Learning rate after warm-up");
  app.add_option("--momentum", train.momentum, "SGD momentum")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0))
      ->group(group);
  number("--weight-decay", train.weight_decay,
         "Weight decay, applied to parameters with two or more dimensions");
  app.add_option("--schedule", train.schedule, "Learning-rate schedule, one of " + listed_names(schedules()))
      ->capture_default_str()
      ->group(group);
  number("--warmup-epochs", train.warmup_epochs, "Epochs of linear learning-rate warm-up; may be fractional");
  app.add_option(
         "--loss", options.loss,
         "Loss, one of " + listed_names(losses()) + "; default: cross_entropy for classes, mse for targets")
      ->group(group);
  app.add_option("--label-smoothing", train.label_smoothing, "In [0, 1)")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0))
      ->group(group);
  app.add_option("--ema", train.ema,
                 "Decay of an exponential moving average of the weights, e.g. 0.999, which is then evaluated "
                 "and written; 0: none")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0))
      ->group(group);
  app.add_flag("--bfloat16", train.bfloat16, "Mixed precision (bfloat16 autocast); weights stay float32")
      ->group(group);
  number("--clip-norm", train.clip_norm, "Maximum gradient norm; 0: no clipping");
  app.add_option(
         "--regularize", options.regularize,
         "Sparsity regularization that pushes whole channels towards zero: NAME:FACTOR, NAME one of " +
             listed_names(regularizers()) +
             ", growing (FACTOR is the increase of a channel's coefficient per epoch)")
      ->type_name("NAME:FACTOR")
      ->group(group);
  add_augmentation_options(app, train.augmentation, group);
}

/// Reads "group_lasso:1e-4" into the recipe.
void parse_regularizer(const std::string& text, TrainOptions& recipe) {
  const auto colon = text.rfind(':');
  double factor = 0;
  const char* end = text.data() + text.size();
  const bool is_number = colon != std::string::npos && colon > 0 &&
                         std::from_chars(text.data() + colon + 1, end, factor).ptr == end;
  require<UsageError>(is_number && std::isfinite(factor) && factor > 0, "cli",
                      "--regularize '{}': must be NAME:FACTOR with a positive factor.", text);
  if (text.substr(0, colon) == "growing") {
    recipe.growing_penalty = factor;
    return;
  }
  recipe.regularizer = text.substr(0, colon);
  recipe.regularization = factor;
  as_usage([&] { return &find_regularizer(recipe.regularizer); });
}

/// Of an epoch what not every run has, by name.
std::vector<std::pair<std::string, std::optional<double>>> figures_of(const EpochRecord& epoch) {
  return {{"accuracy", epoch.accuracy}, {"metric", epoch.metric}};
}

Json training_json(const TrainResult& result, const std::filesystem::path& output) {
  Json epochs = Json::array();
  for (const auto& epoch : result.epochs) {
    epochs.push_back({{"epoch", epoch.epoch + 1},
                      {"loss", epoch.loss},
                      {"learning_rate", epoch.learning_rate},
                      {"seconds", epoch.seconds}});
    for (const auto& [name, figure] : figures_of(epoch))
      if (figure) epochs.back()[name] = *figure;
  }
  return {{"output", output.string()}, {"epochs", std::move(epochs)}};
}

void print_training(const TrainResult& result, const std::filesystem::path& output) {
  if (!result.epochs.empty()) {
    std::vector<std::string> columns{"epoch", "loss", "seconds"};
    for (const auto& [name, figure] : figures_of(result.epochs.front()))
      if (figure) columns.push_back(name);
    Table table(columns);
    for (const auto& epoch : result.epochs) {
      std::vector<std::string> row{std::to_string(epoch.epoch + 1), fmt::format("{:.4f}", epoch.loss),
                                   fmt::format("{:.1f}", epoch.seconds)};
      if (epoch.accuracy) row.push_back(format_percent(*epoch.accuracy));
      if (epoch.metric) row.push_back(fmt::format("{:.4f}", *epoch.metric));
      table.add_row(row);
    }
    std::cout << table;
  }
  std::cout << fmt::format("Wrote {}.\n", output.string());
}

}  // namespace

void add_training_options(CLI::App& app, TrainingOptions& options) {
  add_data_option(app, options.data);
  app.add_option("--checkpoint", options.train.checkpoint,
                 "Checkpoint file, written after every epoch and on Ctrl-C; default: OUT.checkpoint")
      ->type_name("FILE");
  app.add_option("--checkpoint-interval", options.train.checkpoint_interval,
                 "Also write the checkpoint every N steps; 0: never")
      ->type_name("N")
      ->check(at_least(0))
      ->capture_default_str();
  app.add_flag("--resume", options.train.resume, "Resume from the checkpoint if it exists");
  app.add_option("--log", options.train.log, "Log file, one line of JSON per epoch")->type_name("FILE");
  app.add_option("--tensorboard", options.train.tensorboard, "Folder for TensorBoard event files")
      ->type_name("FOLDER");
  add_recipe(app, options);
  add_distillation_options(app, options.distill, options.train);
}

TrainOptions recipe_of(const TrainingOptions& options, const std::filesystem::path& output, uint64_t seed) {
  TrainOptions recipe = options.train;
  as_usage([&] {
    find_optimizer(recipe.optimizer);
    find_schedule(recipe.schedule);
    if (!options.loss.empty()) find_loss(options.loss);
    return 0;
  });
  require<UsageError>(recipe.momentum < 1 && recipe.label_smoothing < 1 && recipe.ema < 1, "cli",
                      "--momentum, --label-smoothing and --ema must be below 1 but are {}, {} and {}.",
                      recipe.momentum, recipe.label_smoothing, recipe.ema);
  if (!options.regularize.empty()) parse_regularizer(options.regularize, recipe);
  recipe.seed = seed;
  if (recipe.checkpoint.empty()) recipe.checkpoint = output.string() + ".checkpoint";
  check_output(recipe.checkpoint);
  if (!recipe.log.empty()) check_output(recipe.log);
  require<std::runtime_error>(recipe.tensorboard.empty() || !std::filesystem::exists(recipe.tensorboard) ||
                                  std::filesystem::is_directory(recipe.tensorboard),
                              "cli", "--tensorboard '{}': must be a folder, but is a file.",
                              recipe.tensorboard.string());
  read_distillation(options.distill, seed, recipe);
  return recipe;
}

void choose_loss(const TrainingOptions& options, const Dataset& data, TrainOptions& recipe) {
  if (!options.loss.empty())
    recipe.loss = options.loss;
  else if (data.labels.defined() && !data.has_classes())
    recipe.loss = "mse";
}

void check_finished(const TrainOptions& recipe, const TrainResult& result) {
  if (result.interrupted)
    raise<std::runtime_error>(
        "cli", "Interrupted in epoch {}. Run the same command with --resume to continue from '{}'.",
        result.epochs.size() + 1, recipe.checkpoint.string());
}

void drop_checkpoint(const TrainingOptions& options, const TrainOptions& recipe) {
  std::error_code ignored;
  if (options.train.checkpoint.empty()) std::filesystem::remove(recipe.checkpoint, ignored);
}

void report_training(const TrainResult& result, const std::filesystem::path& output,
                     const RunContext& context) {
  Json document = training_json(result, output);
  add_skipped(document, context.images);
  show(context.general, document, [&] { print_training(result, output); });
}

}  // namespace inn::cli
