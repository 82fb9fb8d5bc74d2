#include "options/elastic_options.h"

#include <fmt/ranges.h>

#include <CLI/CLI.hpp>

#include "inn/core/error.h"
#include "inn/data/normalization_record.h"
#include "inn/train/recipe.h"
#include "options/image_source.h"
#include "options/limits.h"
#include "options/model_source.h"
#include "options/usage_error.h"

namespace inn::cli {
namespace {

constexpr const char* kElasticGroup = "Widths";
constexpr const char* kDistillation = "Distillation";
constexpr const char* kInPlace = "in-place";
constexpr const char* kNone = "none";
// With distillation in place the best of the recipes at every width, for the same epochs (docs/training.md).
constexpr const char* kBestRule = "sandwich:1";

/// Whether there are passes that the widest one, which comes before them, can teach.
bool can_teach_in_place(const std::string& rule) {
  const auto passes = as_usage([&] { return parse_width_rule(rule); });
  return passes.size() > 1 && passes[0] == PassWidth(WidthDraw::widest);
}

}  // namespace

void add_width_law_options(CLI::App& app, WidthLawOptions& options) {
  app.add_option("--widths", options.law,
                 "Train an integral model: distribution of the width fraction drawn in each step, e.g. "
                 "uniform:0.25,1 or choice:1,0.5,0.25")
      ->type_name("LAW")
      ->group(kElasticGroup);
  app.add_flag("--independent-widths", options.independent, "Draw a separate fraction for each group")
      ->group(kElasticGroup);
  std::string rules;
  for (const auto& rule : width_rules())
    rules += fmt::format("{}{} ({})", rules.empty() ? "" : ", ", rule.name, rule.doc);
  app.add_option("--width-rule", options.rule,
                 "Widths per training step: NAME or NAME:N with N random widths, and optional fractions "
                 "trained in every step, e.g. sandwich:1,0.75,0.5. Names: " +
                     rules)
      ->type_name("RULE")
      ->default_str(kBestRule)
      ->group(kElasticGroup);
}

std::optional<FractionDistribution> read_width_law(const WidthLawOptions& options,
                                                   std::vector<std::string>& teachers, TrainOptions& train) {
  const bool given = !options.law.empty();
  require<UsageError>(given || !options.independent, "cli", "--independent-widths requires --widths.");
  require<UsageError>(given || options.rule.empty(), "cli", "--width-rule '{}' requires --widths.",
                      options.rule);
  if (!given) return std::nullopt;
  train.width_rule = options.rule.empty() ? kBestRule : options.rule;
  if (can_teach_in_place(train.width_rule) && teachers.empty()) teachers = {kInPlace};
  return as_usage([&] { return FractionDistribution::parse(options.law); });
}

void add_distillation_options(CLI::App& app, std::vector<std::string>& sources, TrainOptions& train) {
  auto& distillation = train.distillation;
  app.add_option(
         "--distill", sources,
         "Teachers for distillation: in-place (the widest width teaches the others of a step), a MODEL with "
         "the same inputs, or both; none. Default: in-place if the width rule starts with the widest")
      ->delimiter(',')
      ->expected(1, 2)
      ->type_name("in-place|MODEL|none")
      ->group(kDistillation);
  app.add_option("--distill-weight", distillation.weight,
                 "Weight of the distillation loss, in [0, 1]; the rest is for the labels")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str()
      ->group(kDistillation);
  app.add_option("--temperature", distillation.temperature, "Distillation temperature")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->group(kDistillation);
}

void check_teacher(const TrainOptions& train, const Normalization& normalization, const Dataset& data) {
  if (!train.distillation.source || !data.holds_images()) return;
  const auto own = recorded_normalization(*train.distillation.source);
  if (!own) return;
  require<UsageError>(*own == normalization, "cli",
                      "--distill: the teacher expects images normalized by mean {} and std {}, but this run "
                      "uses {} and {}; set --mean and --std.",
                      fmt::join(own->mean, ","), fmt::join(own->std, ","), fmt::join(normalization.mean, ","),
                      fmt::join(normalization.std, ","));
}

void read_distillation(const std::vector<std::string>& sources, uint64_t seed, TrainOptions& train) {
  if (sources == std::vector<std::string>{kNone}) return;
  for (const auto& source : sources) {
    require<UsageError>(source != kNone, "cli", "--distill none cannot be combined with teachers.");
    if (source == kInPlace) {
      train.distillation.in_place = true;
      continue;
    }
    require<UsageError>(!train.distillation.source, "cli",
                        "--distill accepts one model, but '{}' is a second one.", source);
    train.distillation.source = read_model({.source = source}, seed).present();
  }
  require<UsageError>(!train.distillation.in_place || can_teach_in_place(train.width_rule), "cli",
                      "--distill in-place requires a width rule that starts with the widest, such as "
                      "sandwich, but got --width-rule '{}'.",
                      train.width_rule);
}

}  // namespace inn::cli
