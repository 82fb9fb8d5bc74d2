#include "inn/train/recipe.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

#include "inn/core/error.h"
#include "inn/train/train.h"
#include "train/recipes.h"

namespace inn {
namespace {

std::vector<OptimizerEntry>& optimizer_table() {
  static std::vector<OptimizerEntry> table{recipes::sgd(), recipes::adam(), recipes::adamw()};
  return table;
}

std::vector<ScheduleEntry>& schedule_table() {
  static std::vector<ScheduleEntry> table{
      {.name = "cosine",
       .doc = "falls to 0 along half a cosine (Loshchilov and Hutter, ICLR 2017)",
       .factor = [](double progress) { return 0.5 * (1 + std::cos(std::numbers::pi * progress)); }},
      {.name = "constant", .doc = "stays", .factor = [](double) { return 1.0; }}};
  return table;
}

std::vector<LossEntry>& loss_table() {
  static std::vector<LossEntry> table{
      {.name = "cross_entropy",
       .doc = "cross entropy of the softmax of the outputs with the labels, smoothed as label_smoothing says",
       .mean = [](const at::Tensor& outputs, const at::Tensor& labels, const TrainOptions& options) {
         constexpr int64_t kIgnoreNone = -100;
         return at::cross_entropy_loss(outputs, labels, {}, at::Reduction::Mean, kIgnoreNone,
                                       options.label_smoothing);
       }}};
  return table;
}

template <class Entry>
const Entry& find(const std::vector<Entry>& table, const char* kind, const std::string& name) {
  std::vector<std::string> names;
  for (const auto& entry : table) {
    if (entry.name == name) return entry;
    names.push_back(entry.name);
  }
  raise("train", "No {} is named '{}'.{}", kind, name, nearest_names(name, names));
}

template <class Entry>
void add(std::vector<Entry>& table, const char* kind, Entry entry) {
  for (const auto& known : table)
    require(known.name != entry.name, "train", "The {} '{}': the name is taken.", kind, entry.name);
  table.push_back(std::move(entry));
}

}  // namespace

const std::vector<OptimizerEntry>& optimizers() { return optimizer_table(); }
const std::vector<ScheduleEntry>& schedules() { return schedule_table(); }
const std::vector<LossEntry>& losses() { return loss_table(); }

const OptimizerEntry& find_optimizer(const std::string& name) {
  return find(optimizers(), "optimizer", name);
}
const ScheduleEntry& find_schedule(const std::string& name) { return find(schedules(), "schedule", name); }
const LossEntry& find_loss(const std::string& name) { return find(losses(), "loss", name); }

void register_optimizer(OptimizerEntry entry) { add(optimizer_table(), "optimizer", std::move(entry)); }
void register_schedule(ScheduleEntry entry) { add(schedule_table(), "schedule", std::move(entry)); }
void register_loss(LossEntry entry) { add(loss_table(), "loss", std::move(entry)); }

double learning_rate_at(int64_t step, int64_t steps, const TrainOptions& options) {
  const double share = options.epochs > 0 ? options.warmup_epochs / static_cast<double>(options.epochs) : 0;
  const double warmup = std::min(share, 1.0) * static_cast<double>(steps);
  const auto at = static_cast<double>(step);
  if (at + 1 <= warmup) return options.learning_rate * (at + 1) / (warmup + 1);
  const double rest = static_cast<double>(steps) - warmup;
  const double progress = rest > 0 ? std::max(0.0, at - warmup) / rest : 0;
  return options.learning_rate * find_schedule(options.schedule).factor(progress);
}

}  // namespace inn
