#pragma once
// What a training run is made of: optimizers, schedules of the learning rate, losses, rules for the widths of
// a step. Each is one entry of a table.

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
  /// Makes it: `decayed` parameters get the weight decay of the options, `plain` ones none.
  std::function<std::unique_ptr<torch::optim::Optimizer>(
      const std::vector<at::Tensor>& decayed, const std::vector<at::Tensor>& plain, const TrainOptions&)>
      make;
  /// Returns what it remembers of a parameter, by name; empty before the first step. Counts are int64 of no
  /// axis.
  std::function<std::map<std::string, at::Tensor>(torch::optim::Optimizer&, const at::Tensor& parameter)>
      state;
  /// Sets what it remembers. Throws std::out_of_range where a name is missing.
  std::function<void(torch::optim::Optimizer&, const at::Tensor& parameter,
                     const std::map<std::string, at::Tensor>& state)>
      restore;
};

/// How the learning rate goes after the warm-up.
struct ScheduleEntry {
  std::string name;  // "cosine"
  std::string doc;
  /// Returns the factor of the learning rate where `progress` in [0, 1) of the steps after the warm-up are
  /// done.
  std::function<double(double progress)> factor;
};

/// What is minimized.
struct LossEntry {
  std::string name;  // "cross_entropy"
  std::string doc;
  /// Returns the mean loss of a batch, a tensor of no axis, differentiable in `outputs`. labels: int64 [B]
  /// with outputs [B, classes], one row a label; or floating point, of the size of the outputs.
  std::function<at::Tensor(const at::Tensor& outputs, const at::Tensor& labels, const TrainOptions&)> mean;
  /// Returns how far the outputs are from those of a teacher, of one size, as `mean` does: what distillation
  /// minimizes. Null where the loss knows none: such a loss can't be distilled with.
  std::function<at::Tensor(const at::Tensor& outputs, const at::Tensor& taught, const TrainOptions&)>
      distance = nullptr;
};

/// Which widths one step runs at. Its passes' gradients are averaged before the one step of the optimizer.
struct WidthRuleEntry {
  std::string name;  // "sandwich"
  std::string doc;
  int64_t draws;  // of random widths, where the text of the rule names no number
  /// Returns the passes of a step with `draws` random widths, in the order in which they are run.
  std::function<std::vector<WidthDraw>(int64_t draws)> passes;
};

const GrowingTable<OptimizerEntry>& optimizers();
const GrowingTable<ScheduleEntry>& schedules();
const GrowingTable<LossEntry>& losses();
const GrowingTable<WidthRuleEntry>& width_rules();

/// Return the entry named so. Throw std::invalid_argument with the nearest names.
const OptimizerEntry& find_optimizer(const std::string& name);
const ScheduleEntry& find_schedule(const std::string& name);
const LossEntry& find_loss(const std::string& name);
const WidthRuleEntry& find_width_rule(const std::string& name);

/// Add an entry. Throw std::invalid_argument for a name that is taken.
void register_optimizer(OptimizerEntry entry);
void register_schedule(ScheduleEntry entry);
void register_loss(LossEntry entry);
void register_width_rule(WidthRuleEntry entry);

/// Returns the passes that "sandwich" stands for, or "sandwich:4", 4 being how many random widths it draws,
/// or "sandwich:1,0.75,0.5", with one more pass at each of these fractions of all widths: those that are to
/// be used. Throws std::invalid_argument as find_width_rule does, for a number that is none, for a fraction
/// that is not in (0, 1], and for no pass at all.
std::vector<PassWidth> parse_width_rule(const std::string& text);

/// Returns the learning rate of step `step` ≥ 0 of `steps`: it rises linearly to options.learning_rate over
/// the first options.warmup_epochs/options.epochs of them, and then follows the schedule.
double learning_rate_at(int64_t step, int64_t steps, const TrainOptions& options);

}  // namespace inn
