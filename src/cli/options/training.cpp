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
std::string names_of(const Entries& entries) {
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
  number("--epochs", train.epochs, "How often all samples are seen");
  app.add_option("--batch-size", train.batch_size, "Samples a step")
      ->capture_default_str()
      ->check(at_least(1))
      ->group(group);
  app.add_option("--optimizer", train.optimizer, "One of " + names_of(optimizers()))
      ->capture_default_str()
      ->group(group);
  number("--learning-rate", train.learning_rate, "The learning rate after the warm-up");
  app.add_option("--momentum", train.momentum, "Of sgd")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0))
      ->group(group);
  number("--weight-decay", train.weight_decay, "Of parameters of two axes and more");
  app.add_option("--schedule", train.schedule, "One of " + names_of(schedules()))
      ->capture_default_str()
      ->group(group);
  number("--warmup-epochs", train.warmup_epochs,
         "Epochs in which the learning rate rises; may be a fraction");
  app.add_option("--loss", options.loss,
                 "One of " + names_of(losses()) + "; default: cross_entropy of classes, mse of targets")
      ->group(group);
  app.add_option("--label-smoothing", train.label_smoothing, "In [0, 1)")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0))
      ->group(group);
  app.add_option("--ema", train.ema,
                 "Decay of a moving average of the weights, as 0.999, which is measured and written; 0: none")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0))
      ->group(group);
  app.add_flag("--bfloat16", train.bfloat16, "Mixed precision; weights stay float32")->group(group);
  number("--clip-norm", train.clip_norm, "The greatest norm of a gradient; 0: any");
  app.add_option("--regularize", options.regularize,
                 "Pushes whole channels towards zero, so that they can be cut: NAME:FACTOR, NAME one of " +
                     names_of(regularizers()) +
                     ", growing (FACTOR is what a channel's coefficient gains an epoch)")
      ->type_name("NAME:FACTOR")
      ->group(group);
  add_augmentation_options(app, train.augmentation, group);
}

/// Reads "group_lasso:1e-4" into the recipe.
void read_regularizer(const std::string& text, TrainOptions& recipe) {
  const auto colon = text.rfind(':');
  double factor = 0;
  const char* end = text.data() + text.size();
  const bool is_number = colon != std::string::npos && colon > 0 &&
                         std::from_chars(text.data() + colon + 1, end, factor).ptr == end;
  require<UsageError>(is_number && std::isfinite(factor) && factor > 0, "cli",
                      "--regularize '{}': must be NAME:FACTOR, the factor a number above 0.", text);
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
  add_image_options(app, options.images);
  app.add_option("--checkpoint", options.train.checkpoint,
                 "Written after every epoch and on Ctrl-C; default: OUT.checkpoint")
      ->type_name("FILE");
  app.add_option("--checkpoint-interval", options.train.checkpoint_interval,
                 "Written every N batches too; 0: not")
      ->type_name("N")
      ->check(at_least(0))
      ->capture_default_str();
  app.add_flag("--resume", options.train.resume, "Go on from the checkpoint, where there is one");
  app.add_option("--log", options.train.log, "A file of JSON lines, one an epoch")->type_name("FILE");
  app.add_option("--tensorboard", options.train.tensorboard,
                 "A folder for a file of events that TensorBoard shows")
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
  if (!options.regularize.empty()) read_regularizer(options.regularize, recipe);
  recipe.seed = seed;
  if (recipe.checkpoint.empty()) recipe.checkpoint = output.string() + ".checkpoint";
  check_output(recipe.checkpoint);
  if (!recipe.log.empty()) check_output(recipe.log);
  require<std::runtime_error>(recipe.tensorboard.empty() || !std::filesystem::exists(recipe.tensorboard) ||
                                  std::filesystem::is_directory(recipe.tensorboard),
                              "cli", "--tensorboard '{}': must be a folder but is a file.",
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
    raise<std::runtime_error>("cli",
                              "Interrupted in epoch {}. The same command with --resume goes on from '{}'.",
                              result.epochs.size() + 1, recipe.checkpoint.string());
}

void drop_checkpoint(const TrainingOptions& options, const TrainOptions& recipe) {
  std::error_code ignored;
  if (options.train.checkpoint.empty()) std::filesystem::remove(recipe.checkpoint, ignored);
}

void report_training(const TrainResult& result, const TrainingOptions& options,
                     const std::filesystem::path& output, const GeneralOptions& general) {
  if (general.json) {
    Json document = training_json(result, output);
    add_skipped(document, options.images);
    print(document);
  } else {
    print_training(result, output);
  }
}

}  // namespace inn::cli
