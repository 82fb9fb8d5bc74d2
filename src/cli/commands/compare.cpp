#include <CLI/CLI.hpp>
#include <iostream>

#include "commands/command.h"
#include "comparison_report.h"
#include "inn/core/atomic_file.h"
#include "inn/core/error.h"
#include "inn/core/interrupt.h"
#include "inn/methods/comparison.h"
#include "options/conversion.h"
#include "options/evaluation.h"
#include "options/limits.h"
#include "options/pruning.h"
#include "options/refit.h"
#include "options/run_context.h"
#include "options/usage_error.h"
#include "options/width_budget.h"
#include "options/width_choice.h"
#include "output.h"
#include "step_bar.h"

namespace inn::cli {
namespace {

struct CompareArguments {
  RunContext context;
  ComparisonOptions comparison;
  WidthChoice widths;
  ConversionOptions conversion;
  EvaluationOptions evaluation;
  PruningOptions pruning;
  std::string calibration;
  bool no_chosen = false;
  std::filesystem::path output;
};

/// Throws UsageError for what the command line alone shows.
void check_options(const CompareArguments& options) {
  for (const double keep : options.comparison.keep) check_fraction("--keep", keep);
  bool importance = false;
  for (const auto& method : options.comparison.methods) {
    as_usage([&] {
      check_method(method);
      return 0;
    });
    if (!is_importance(method)) continue;
    importance = true;
    check(options.pruning, method, true);
  }
  if (!importance) check(options.pruning, options.comparison.methods.front(), true);
  WidthChoice widths = options.widths;
  widths.keep = options.comparison.keep.front();
  check(widths);
}

ComparisonOptions comparison_of(const CompareArguments& options) {
  ComparisonOptions comparison = options.comparison;
  comparison.widths = prune_options(options.widths);
  comparison.widths.scope = scope_of(options.pruning);
  comparison.chosen = !options.no_chosen;
  comparison.batch_size = options.evaluation.batch_size;
  comparison.how = {.conversion = convert_options(options.conversion, options.context.general.seed),
                    .scoring = importance_options(options.pruning),
                    .seed = options.context.general.seed,
                    .together = options.comparison.how.together};
  return comparison;
}

void write_all(const Comparison& comparison, const CompareArguments& options) {
  write_atomically(options.output / "compare.json", comparison_json(comparison).dump(1) + '\n');
  const auto title = std::filesystem::path(options.context.model.source).filename().string();
  for (const char* file : {"compare.svg", "compare.png"})
    plot_comparison(comparison, title, options.output / file);
}

/// As many samples as the largest number of them that is compared.
Dataset read_all_calibration(const CompareArguments& options) {
  const auto& samples = options.comparison.samples;
  const bool all = std::find(samples.begin(), samples.end(), 0) != samples.end();
  const Dataset data = open_data(options.calibration, Split::any, options.context.images);
  return all ? data : data.first(std::min(*std::max_element(samples.begin(), samples.end()), data.size()));
}

int run(const CompareArguments& options) {
  const auto device = options.context.start();
  check_options(options);
  const ComparisonOptions compared = comparison_of(options);
  const SkippedReport skipped(options.context.images);
  Dataset calibration = read_all_calibration(options);
  Dataset evaluated = read_evaluated(options.evaluation, options.context.images);
  const auto opened = options.context.open_for(&evaluated);
  const Network& network = opened.model.source().network;
  fit_calibration(calibration, network);
  fit_images(evaluated, network);
  const InterruptGuard interrupts;
  if (!options.output.empty()) make_output_folder(options.output);

  const Comparison comparison =
      compare(opened.model, compared, {calibration, evaluated, opened.normalization, device},
              step_bar("compare", ""));
  Json document = comparison_json(comparison);
  add_skipped(document, options.context.images);
  show(options.context.general, document, [&] { print_comparison(comparison); });
  std::cout.flush();
  if (!options.output.empty()) write_all(comparison, options);
  require<std::runtime_error>(comparison.interrupted() == 0, "cli",
                              "Interrupted: {} networks are missing from the comparison.",
                              comparison.interrupted());
  return 0;
}

void add_comparison_options(CLI::App& app, CompareArguments& options) {
  ComparisonOptions& comparison = options.comparison;
  app.add_option("--keep", comparison.keep,
                 "Fractions of channels to keep in the chosen groups, e.g. 0.7,0.5,0.3")
      ->delimiter(',')
      ->required()
      ->type_name("F,F,…");
  add_fraction_options(app, options.widths);
  app.add_option("--methods", comparison.methods, "Methods to compare, as in 'inn resample'")
      ->delimiter(',')
      ->capture_default_str()
      ->type_name("NAME,NAME,…");
  app.add_flag("--no-chosen", options.no_chosen,
               "Leave out quadrature at widths chosen for the same multiply-adds");
  add_recheck_option(app, comparison.rechecks);
  add_together_option(app, comparison.how.together);
  add_calibration_option(app, options.calibration)->required();
  app.add_option("--samples", comparison.samples,
                 "Number of calibration samples, or several numbers to compare; 0: all")
      ->delimiter(',')
      ->capture_default_str()
      ->check(at_least(0))
      ->type_name("N,N,…");
  app.add_option("-o,--output", options.output,
                 "Folder for compare.json and the plots compare.svg and compare.png")
      ->type_name("FOLDER");
}

}  // namespace

Command compare_command() {
  return {
      .name = "compare",
      .summary = "Compares the accuracy of all methods at several widths, with and without refits",
      .examples =
          "  inn compare resnet20.pt2 --calibration images/ --data cifar-10/ --keep 0.7,0.5,0.3\n"
          "  inn compare resnet20.pt2 --calibration images/ --data cifar-10/ --keep 0.5 --groups "
          "'layer*.*.conv1' --methods quadrature,l2,fpgm\n"
          "  inn compare integral.pt2 --calibration images/ --data cifar-10/ --keep 0.75,0.5 --methods "
          "interpolate --no-chosen\n"
          "  inn compare resnet20.pt2 --calibration images/ --data cifar-10/ --keep 0.5 --methods quadrature "
          "--samples 32,128,512 -o samples/",
      .declare = [](CLI::App& app) -> std::function<int()> {
        auto options = std::make_shared<CompareArguments>();
        options->context.add_model(app);
        add_comparison_options(app, *options);
        add_evaluation_options(app, options->evaluation);
        add_pruning_options(app, options->pruning);
        add_kernel_options(app, options->conversion);
        options->context.add_options(app, {.data = true, .device = true, .html = true});
        return [options] { return run(*options); };
      }};
}

}  // namespace inn::cli
