#include "inn/train/recipe.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>
#include <string_view>

#include "inn/core/error.h"
#include "inn/core/named_table.h"
#include "inn/train/train.h"
#include "number_text.h"
#include "recipes.h"

namespace inn {
namespace {

GrowingTable<OptimizerEntry>& optimizer_table() {
  static GrowingTable<OptimizerEntry> table{recipes::sgd(), recipes::adam(), recipes::adamw()};
  return table;
}

GrowingTable<ScheduleEntry>& schedule_table() {
  static GrowingTable<ScheduleEntry> table{
      {.name = "cosine",
       .doc = "cosine annealing to 0 (Loshchilov and Hutter, ICLR 2017)",
       .factor = [](double progress) { return 0.5 * (1 + std::cos(std::numbers::pi * progress)); }},
      {.name = "constant", .doc = "stays", .factor = [](double) { return 1.0; }}};
  return table;
}

GrowingTable<LossEntry>& loss_table() {
  static GrowingTable<LossEntry> table{recipes::cross_entropy(), recipes::mse(), recipes::l1()};
  return table;
}

GrowingTable<WidthRuleEntry>& width_rule_table() {
  static GrowingTable<WidthRuleEntry> table{
      {.name = "random",
       .doc = "random widths, one pass each",
       .draws = 1,
       .passes = [](int64_t draws) { return std::vector<WidthDraw>(draws, WidthDraw::random); }},
      {.name = "sandwich",
       .doc = "the widest, the narrowest and random widths (Yu and Huang, ICCV 2019)",
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
void add(GrowingTable<Entry>& table, const char* kind, Entry entry) {
  for (const auto& known : table)
    require(known.name != entry.name, "train", "The {} '{}': the name is already in use.", kind, entry.name);
  table.push_back(std::move(entry));
}

}  // namespace

const GrowingTable<OptimizerEntry>& optimizers() { return optimizer_table(); }
const GrowingTable<ScheduleEntry>& schedules() { return schedule_table(); }
const GrowingTable<LossEntry>& losses() { return loss_table(); }
const GrowingTable<WidthRuleEntry>& width_rules() { return width_rule_table(); }

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

std::vector<PassWidth> parse_width_rule(const std::string& text) {
  constexpr int64_t kMostDraws = 64;
  const auto comma = text.find(',');
  const std::string_view drawn = std::string_view(text).substr(0, comma);
  const auto colon = drawn.find(':');
  const auto& rule = find_width_rule(std::string(drawn.substr(0, colon)));
  int64_t draws = rule.draws;
  const bool is_count = colon == drawn.npos || parse_number(drawn.substr(colon + 1), draws);
  require(is_count && draws >= 0 && draws <= kMostDraws, "train",
          "Width rule '{}': must be NAME or NAME:N with the number N of random widths in [0, {}].", text,
          kMostDraws);
  const auto random = rule.passes(draws);
  std::vector<PassWidth> passes(random.begin(), random.end());
  for (auto at = comma; at != text.npos; at = text.find(',', at + 1)) {
    const auto word = text.substr(at + 1, text.find(',', at + 1) - at - 1);
    double fraction = 0;
    require(
        parse_number(word, fraction) && fraction > 0 && fraction <= 1, "train",
        "Width rule '{}': '{}' must be a fraction of all widths in (0, 1], e.g. 0.75 in 'sandwich:1,0.75'.",
        text, word);
    passes.emplace_back(fraction);
  }
  require(!passes.empty(), "train", "Width rule '{}': must have at least one pass.", text);
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
