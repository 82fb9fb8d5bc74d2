#pragma once
// Training recipes: optimizers, learning-rate schedules, losses and width rules, each a table of entries.

#include <ATen/core/Tensor.h>
#include <torch/optim/optimizer.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "inn/core/named_table.h"
#include "inn/model/integral_model.h"

namespace inn {

struct TrainOptions;

/// One of torch's optimizers.
struct OptimizerEntry {
  std::string name;  // "sgd"
  std::string doc;
  /// Creates it: `decayed` parameters get the weight decay of the options, `plain` ones none.
  std::function<std::unique_ptr<torch::optim::Optimizer>(
      const std::vector<at::Tensor>& decayed, const std::vector<at::Tensor>& plain, const TrainOptions&)>
      make;
  /// Returns the state of a parameter, by name; empty before the first step. Counts are int64 scalars.
  std::function<std::map<std::string, at::Tensor>(torch::optim::Optimizer&, const at::Tensor& parameter)>
      state;
  /// Sets that state. Throws std::out_of_range if a name is missing.
  std::function<void(torch::optim::Optimizer&, const at::Tensor& parameter,
                     const std::map<std::string, at::Tensor>& state)>
      restore;
};

/// A learning-rate schedule, after the warm-up.
struct ScheduleEntry {
  std::string name;  // "cosine"
  std::string doc;
  /// Returns the factor of the learning rate after a fraction `progress` in [0, 1) of the steps after the
  /// warm-up.
  std::function<double(double progress)> factor;
};

/// A loss.
struct LossEntry {
  std::string name;  // "cross_entropy"
  std::string doc;
  /// Returns the mean loss of a batch, a scalar (0-d) tensor, differentiable in `outputs`. labels: int64 [B]
  /// with outputs [B, classes]; or floating point, of the size of the outputs.
  std::function<at::Tensor(const at::Tensor& outputs, const at::Tensor& labels, const TrainOptions&)> mean;
  /// Returns the mean distance to the outputs of a teacher (of the same size), which distillation minimizes.
  /// Null if the loss does not support distillation.
  std::function<at::Tensor(const at::Tensor& outputs, const at::Tensor& taught, const TrainOptions&)>
      distance = nullptr;
};

/// A width rule: the widths of a training step. The gradients of its passes are averaged before the optimizer
/// step.
struct WidthRuleEntry {
  std::string name;  // "sandwich"
  std::string doc;
  int64_t draws;  // default number of random widths
  /// Returns the passes of a step with `draws` random widths, in order of execution.
  std::function<std::vector<WidthDraw>(int64_t draws)> passes;
};

const GrowingTable<OptimizerEntry>& optimizers();
const GrowingTable<ScheduleEntry>& schedules();
const GrowingTable<LossEntry>& losses();
const GrowingTable<WidthRuleEntry>& width_rules();

/// Return the entry with that name. Throw std::invalid_argument with the nearest names.
const OptimizerEntry& find_optimizer(const std::string& name);
const ScheduleEntry& find_schedule(const std::string& name);
const LossEntry& find_loss(const std::string& name);
const WidthRuleEntry& find_width_rule(const std::string& name);

/// Add an entry. Throw std::invalid_argument if the name is already in use.
void register_optimizer(OptimizerEntry entry);
void register_schedule(ScheduleEntry entry);
void register_loss(LossEntry entry);
void register_width_rule(WidthRuleEntry entry);

/// Parses "sandwich", "sandwich:4" (with 4 random widths) or "sandwich:1,0.75,0.5" (with an additional pass
/// at each of these fractions of all widths). Throws std::invalid_argument as find_width_rule does, for an
/// invalid number, for a fraction that is not in (0, 1], and if there is no pass.
std::vector<PassWidth> parse_width_rule(const std::string& text);

/// Returns the learning rate of step `step` ≥ 0 of `steps`: it rises linearly to options.learning_rate over
/// the first options.warmup_epochs/options.epochs of them, and then follows the schedule.
double learning_rate_at(int64_t step, int64_t steps, const TrainOptions& options);

}  // namespace inn
