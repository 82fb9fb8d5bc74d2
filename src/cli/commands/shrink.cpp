#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <memory>

#include "commands/command.h"
#include "inn/core/atomic_file.h"
#include "inn/core/error.h"
#include "inn/core/interrupt.h"
#include "inn/core/progress.h"
#include "inn/methods/shrink.h"
#include "inn/report/table.h"
#include "options/evaluation.h"
#include "options/limits.h"
#include "options/run_context.h"
#include "options/usage_error.h"
#include "options/width_budget.h"
#include "options/width_choice.h"
#include "output.h"
#include "shrink_report.h"
#include "step_bar.h"

namespace inn::cli {
namespace {

struct ShrinkArguments {
  RunContext context;
  WidthChoice widths;
  std::string budget;
  CalibrationOptions calibration;
  std::string evaluated, split = "test", target = "cpu", smallest = "macs";
  double minutes = 10;
  bool no_distill = false, keep_batch_norm = false, dynamic_batch = false;
  std::filesystem::path output, report;
};

/// Shows a bar for each stage, and how much of the time is over.
auto stage_bars(double minutes) {
  const auto bars = std::make_shared<std::map<std::string, StepCallback>>();
  const auto started = std::chrono::steady_clock::now();
  return [bars, started, minutes](const std::string& stage, int64_t done, int64_t all,
                                  const std::string& step) {
    auto& bar = (*bars)[stage];
    if (!bar) bar = step_bar(stage, "");
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    bar(done, all,
        fmt::format("{} of {} in all  {}", format_duration(seconds), format_duration(60 * minutes), step));
  };
}

ShrinkOptions shrink_options(const ShrinkArguments& options) {
  const Budget budget = budget_of({.text = options.budget});
  require<UsageError>(budget.of != Budget::Of::accuracy || !options.evaluated.empty(), "cli",
                      "--budget {}: requires labelled data (--data).", options.budget);
  return {.budget = budget,
          .widths = prune_options(options.widths),
          .smallest = Budget::parse(options.smallest + "=1").of,
          .seconds = 60 * options.minutes,
          .distill = !options.no_distill,
          .fold_batch_norm = !options.keep_batch_norm,
          .target = as_usage([&] { return parse_target(options.target); }),
          .seed = options.context.general.seed,
          .progress = stage_bars(options.minutes),
          .stop = interrupted};
}

int run(const ShrinkArguments& options) {
  const auto device = options.context.start();
  check_network_output(options.output);
  const ShrinkOptions how = shrink_options(options);
  if (!options.report.empty()) check_output(options.report);
  const SkippedReport skipped(options.context.images);
  Dataset calibration = read_calibration(options.calibration, options.context.images).value();
  std::optional<Dataset> evaluated;
  if (!options.evaluated.empty())
    evaluated = read_evaluated({.data = options.evaluated, .split = options.split}, options.context.images);
  auto [model, normalization] = options.context.open_for(&calibration);
  fit_calibration(calibration, model.source().network);
  if (evaluated) fit_images(*evaluated, model.source().network);
  model.to(device);
  const InterruptGuard interrupts;
  const CalibrationData data{calibration, normalization, device, options.calibration.augmentation};
  std::optional<CalibrationData> judged;
  if (evaluated) judged.emplace(CalibrationData{*evaluated, normalization, device});
  const Shrunk made = shrink(model, shrink_samples(model, data, judged ? &*judged : nullptr), how);
  write_network(made.network, options.output, options.dynamic_batch);
  if (!options.report.empty()) write_shrink_report(made, options.report, options.context.model.source);
  Json document = shrink_json(made);
  document["output"] = options.output.string();
  add_skipped(document, options.context.images);
  show(options.context.general, document, [&] {
    print_shrink(made);
    std::cout << fmt::format("Wrote {} after {}.\n", options.output.string(), format_duration(made.seconds));
  });
  return 0;
}

}  // namespace

Command shrink_command() {
  return {.name = "shrink",
          .summary = "Makes a trained network smaller: within a budget and in the time given, without labels",
          .examples =
              "  inn shrink net.pt2 -o small.pt2 --calibration images/ --budget macs=0.5\n"
              "  inn shrink net.pt2 -o small.pt2 --calibration images/ --budget params=0.3 --data labelled/\n"
              "  inn shrink net.pt2 -o small.pt2 --calibration images/ --budget agreement=0.98 --minutes 30\n"
              "  inn shrink net.pt2 -o small.pt2 --calibration images/ --budget accuracy=-1 --data labelled/ "
              "--smallest params\n"
              "  inn shrink net.pt2 -o fast.pt2 --calibration images/ --budget latency=0.6 --target cpu\n"
              "  inn shrink decoder.pt2 -o small.pt2 --calibration text.pt --budget params=0.8 --groups "
              "'*.mlp.*' --no-distill\n"
              "  inn shrink net.pt2 -o small.pt2 --calibration images/ --budget memory=2MB --report small.md",
          .declare = [](CLI::App& app) -> std::function<int()> {
            auto options = std::make_shared<ShrinkArguments>();
            options->context.add_model(app);
            add_output_option(app, options->output);
            app.add_option(
                   "--budget", options->budget,
                   "What the network may cost: macs, params, latency or memory as a fraction of the source "
                   "(macs=0.5) or an amount (params=100k, latency=5ms, memory=2MB); or how often it must "
                   "give the source's answer (agreement=0.98), or how many points of accuracy on --data it "
                   "may lose "
                   "(accuracy=-1; accuracy=0.9: the accuracy itself), at the least cost")
                ->type_name("KIND=F")
                ->required();
            app.add_option("--smallest", options->smallest,
                           "The cost that is least for agreement=F and accuracy=F")
                ->check(CLI::IsMember({"macs", "params", "latency", "memory"}))
                ->capture_default_str();
            app.add_option("--minutes", options->minutes,
                           "The time, at most; what is left after the fits is used for distillation")
                ->check(at_least(0.01))
                ->capture_default_str()
                ->type_name("M");
            app.add_option("--target", options->target,
                           "Where it will run: cpu, cuda, tensorrt or xnnpack (widths in multiples of 8 "
                           "where most are 64 or more, of 4 "
                           "where they are 32; on cpu also the faster memory format), or any (any width)")
                ->check(CLI::IsMember({"any", "cpu", "cuda", "tensorrt", "xnnpack"}))
                ->capture_default_str();
            app.add_option("--data", options->evaluated,
                           "Labelled data for the accuracy before and after; used to make the network for "
                           "--budget accuracy alone")
                ->type_name("DATA");
            app.add_option("--split", options->split, "Split of --data: train or test")
                ->check(CLI::IsMember({"train", "test"}))
                ->capture_default_str();
            add_fraction_options(app, options->widths);
            app.add_flag("--no-distill", options->no_distill, "End after the fits, without distillation");
            app.add_flag("--keep-batch-norm", options->keep_batch_norm,
                         "Do not fold batch norms into the layers before them: for further training");
            app.add_option("--report", options->report, "Write what was done as a Markdown page")
                ->type_name("FILE.md");
            add_calibration_options(app, options->calibration);
            app.get_option("--calibration")->required();
            add_dynamic_batch_option(app, options->dynamic_batch);
            options->context.add_options(app, {.data = true, .device = true, .html = true});
            return [options] { return run(*options); };
          }};
}

}  // namespace inn::cli
