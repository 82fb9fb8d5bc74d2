#include "inn/train/train.h"

#include <cmath>

#include "generators.h"
#include "inn/core/error.h"
#include "inn/core/interrupt.h"
#include "inn/pruning/regularization.h"
#include "inn/train/recipe.h"
#include "inn/train/scores.h"
#include "trainer.h"

namespace inn {
namespace {

void check(const TrainOptions& options) {
  const auto at_least = [](const char* name, auto value, auto least) {
    require(value >= least && std::isfinite(static_cast<double>(value)), "train",
            "{} must be a finite number of at least {} but got {}.", name, least, value);
  };
  at_least("epochs", options.epochs, int64_t{0});
  at_least("batch_size", options.batch_size, int64_t{1});
  at_least("learning_rate", options.learning_rate, 0.0);
  at_least("weight_decay", options.weight_decay, 0.0);
  at_least("warmup_epochs", options.warmup_epochs, 0.0);
  at_least("clip_norm", options.clip_norm, 0.0);
  at_least("regularization", options.regularization, 0.0);
  at_least("growing_penalty", options.growing_penalty, 0.0);
  at_least("checkpoint_interval", options.checkpoint_interval, int64_t{0});
  at_least("recalibration_batches", options.recalibration_batches, int64_t{0});
  require(options.momentum >= 0 && options.momentum < 1, "train", "momentum must be in [0, 1) but got {}.",
          options.momentum);
  require(options.label_smoothing >= 0 && options.label_smoothing < 1, "train",
          "label_smoothing must be in [0, 1) but got {}.", options.label_smoothing);
  require(options.ema >= 0 && options.ema < 1, "train", "ema must be in [0, 1) but got {}.", options.ema);
  at_least("patience", options.patience, int64_t{0});
  require(options.metric || !(options.keep_best || options.patience > 0), "train",
          "keep_best and patience require a metric.");
  const auto& taught = options.distillation;
  require(taught.weight >= 0 && taught.weight <= 1, "train",
          "The weight of the distillation must be in [0, 1] but got {}.", taught.weight);
  require(taught.temperature > 0 && std::isfinite(taught.temperature), "train",
          "The temperature of the distillation must be finite and positive but got {}.", taught.temperature);
  require(!options.resume || !options.checkpoint.empty(), "train",
          "resume requires the path of a checkpoint.");
  find_schedule(options.schedule);
  if (!options.regularizer.empty()) find_regularizer(options.regularizer);
}

/// Puts an integral model's widths back, and any model into evaluation mode, however a run ends.
class ModelGuard {
 public:
  explicit ModelGuard(NetworkModuleImpl& model)
      : model_(model), integral_(dynamic_cast<IntegralModelImpl*>(&model)) {
    if (integral_ == nullptr) return;
    for (const auto& group : integral_->groups()) grids_.push_back(group.shared_grid());
    for (const auto& group : integral_->groups()) widths_.push_back(group.width());
  }
  ~ModelGuard() {
    model_.eval();
    if (integral_ != nullptr) integral_->set_pass_width(WidthDraw::random);
    for (size_t g = 0; g < widths_.size(); ++g)
      if (auto& group = integral_->groups()[g];
          group.width() != widths_[g] && group.shared_grid() != grids_[g])
        group.resize(widths_[g]);
  }
  ModelGuard(const ModelGuard&) = delete;
  ModelGuard& operator=(const ModelGuard&) = delete;

 private:
  NetworkModuleImpl& model_;
  IntegralModelImpl* integral_;
  std::vector<int64_t> widths_;
  std::vector<std::shared_ptr<const Grid>> grids_;
};

}  // namespace

TrainResult train(NetworkModuleImpl& model, const Dataset& data, const Normalization& normalization,
                  const TrainOptions& options) {
  check(options);
  Trainer trainer(model, data, normalization, options);
  const ModelGuard guard(model);
  const SeededGenerators seeded(input_options(model.network()).device(), options.seed);
  const InterruptGuard interrupts;
  return trainer.run();
}

}  // namespace inn
