#include "inn/train/recipe.h"

#include <ATen/ATen.h>

#include <charconv>
#include <cmath>
#include <numbers>

#include "inn/core/error.h"
#include "inn/core/named_table.h"
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
  static std::vector<LossEntry> table{recipes::cross_entropy(), recipes::mse(), recipes::l1()};
  return table;
}

std::vector<WidthRuleEntry>& width_rule_table() {
  static std::vector<WidthRuleEntry> table{
      {.name = "random",
       .doc = "drawn widths, one pass each",
       .draws = 1,
       .passes = [](int64_t draws) { return std::vector<WidthDraw>(draws, WidthDraw::random); }},
      {.name = "sandwich",
       .doc = "the widest, the narrowest and drawn widths (Yu and Huang, ICCV 2019)",
       .draws = 2,
       .passes = [](int64_t draws) {
         std::vector<WidthDraw> passes(draws + 2, WidthDraw::random);
         passes[0] = WidthDraw::widest;
         passes[1] = WidthDraw::narrowest;
         return passes;
       }}};
  return table;
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
const std::vector<WidthRuleEntry>& width_rules() { return width_rule_table(); }

const OptimizerEntry& find_optimizer(const std::string& name) {
  return find_named(optimizers(), name, "train", "No optimizer is named '{}'.{}");
}
const ScheduleEntry& find_schedule(const std::string& name) {
  return find_named(schedules(), name, "train", "No schedule is named '{}'.{}");
}
const LossEntry& find_loss(const std::string& name) {
  return find_named(losses(), name, "train", "No loss is named '{}'.{}");
}
const WidthRuleEntry& find_width_rule(const std::string& name) {
  return find_named(width_rules(), name, "train", "No width rule is named '{}'.{}");
}

void register_optimizer(OptimizerEntry entry) { add(optimizer_table(), "optimizer", std::move(entry)); }
void register_schedule(ScheduleEntry entry) { add(schedule_table(), "schedule", std::move(entry)); }
void register_loss(LossEntry entry) { add(loss_table(), "loss", std::move(entry)); }
void register_width_rule(WidthRuleEntry entry) { add(width_rule_table(), "width rule", std::move(entry)); }

std::vector<WidthDraw> parse_width_rule(const std::string& text) {
  constexpr int64_t kMostDraws = 64;
  const auto colon = text.find(':');
  const auto& rule = find_width_rule(text.substr(0, colon));
  int64_t draws = rule.draws;
  bool is_number = true;
  if (colon != std::string::npos) {
    const char *begin = text.data() + colon + 1, *end = text.data() + text.size();
    const auto [last, error] = std::from_chars(begin, end, draws);
    is_number = begin != end && last == end && error == std::errc();
  }
  require(is_number && draws >= 0 && draws <= kMostDraws, "train",
          "Width rule '{}': must be NAME or NAME:N, N random widths in [0, {}].", text, kMostDraws);
  auto passes = rule.passes(draws);
  require(!passes.empty(), "train", "Width rule '{}': it has no pass.", text);
  return passes;
}

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
