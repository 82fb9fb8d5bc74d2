#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "commands/command.h"
#include "inn/core/atomic_file.h"
#include "inn/core/error.h"
#include "inn/core/interrupt.h"
#include "inn/core/ranks.h"
#include "inn/methods/model_budget.h"
#include "inn/methods/resample_by.h"
#include "inn/model/batch_norm.h"
#include "inn/report/table.h"
#include "options/conversion.h"
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

// Of layers that were not refit; --report has all.
constexpr size_t kMostNames = 6;

struct ResampleArguments {
  RunContext context;
  ConversionOptions conversion;
  WidthChoice widths;
  BudgetOptions budget;
  PruningOptions pruning;
  CalibrationOptions calibration;
  std::string method = "interpolate";
  bool refit = false, no_refit = false;
  int64_t together = 0;
  double distill_minutes = 0;
  bool fold_batch_norm = false, channels_last = false, dynamic_batch = false;
  std::filesystem::path output, report;
};

int64_t count_parameters(const Network& network) {
  int64_t count = 0;
  for (const auto& entry : network.state)
    if (entry.kind == StateEntry::Kind::parameter) count += entry.tensor.numel();
  return count;
}

struct Outcome {
  std::vector<Group> groups;  // at their source widths
  Resampled made;
  int64_t before, after;  // parameters
  int64_t samples;        // of calibration
};

Json group_record(const GroupReport& group) {
  return {{"name", group.name},   {"source_width", group.source_width}, {"width", group.width},
          {"nodes", group.nodes}, {"criterion", group.criterion},       {"error", group.error},
          {"curve", group.curve}};
}

Json layer_record(const LayerFit& layer) {
  Json record{{"layer", layer.layer}};
  if (!layer.skip_reason.empty()) {
    record["skip_reason"] = layer.skip_reason;
    return record;
  }
  record.update({{"target", layer.target},
                 {"rows", layer.rows},
                 {"features", layer.features},
                 {"ridge", layer.ridge},
                 {"error_before", layer.error_before},
                 {"error_after", layer.error_after},
                 {"held_out_before", layer.held_out_before},
                 {"held_out_after", layer.held_out_after},
                 {"block_gain", layer.block_gain},
                 {"seconds", layer.seconds}});
  return record;
}

Json layer_records(const Resampled& made) {
  Json layers = Json::array();
  for (const auto& layer : made.layers) layers.push_back(layer_record(layer));
  return layers;
}

/// Of each group its nodes, and of each layer its fit.
void write_report(const Resampled& made, const std::filesystem::path& file) {
  Json groups = Json::array();
  for (const auto& group : made.groups) groups.push_back(group_record(group));
  const Json record{
      {"groups", std::move(groups)}, {"layers", layer_records(made)}, {"together_gain", made.together_gain}};
  write_atomically(file, record.dump(1) + '\n');
}

/// One line on the layers that were refit, and one for each reason why some were not.
void print_fits(const std::vector<LayerFit>& layers, int64_t samples) {
  if (layers.empty()) return;
  int64_t fit = 0;
  double before = 0, after = 0;
  std::map<std::string, std::vector<std::string>> kept;
  for (const auto& layer : layers) {
    if (!layer.skip_reason.empty()) {
      kept[layer.skip_reason].push_back(layer.layer);
      continue;
    }
    ++fit;
    before += layer.held_out_before;
    after += layer.held_out_after;
  }
  if (fit > 0)
    std::cout << fmt::format("Refit {} layers: mean error on validation samples {}, {} before.\n", fit,
                             format_percent(after / static_cast<double>(fit)),
                             format_percent(before / static_cast<double>(fit)));
  for (const auto& warning : sample_warnings(layers, samples)) std::cout << warning << '\n';
  for (auto& [reason, names] : kept) {
    const size_t more = names.size() > kMostNames ? names.size() - kMostNames : 0;
    names.resize(names.size() - more);
    std::cout << fmt::format("Not refit: {}{} ({}).\n", fmt::join(names, ", "),
                             more > 0 ? fmt::format(" and {} others", more) : "", reason);
  }
}

void print_distillation(const Distilled& distilled) {
  std::cout << fmt::format(
      "Distillation: {} steps in {:.0f} s at learning rate {:g}; the error on samples held out is {} of the "
      "error before.\n",
      distilled.steps, distilled.seconds, distilled.learning_rate, format_percent(distilled.gain));
}

Json document_of(const ResampleArguments& options, const Outcome& outcome) {
  Json groups = Json::array();
  for (const auto& [id, width] : outcome.made.chosen.widths) {
    Json group{
        {"name", outcome.groups[id].name}, {"source_width", outcome.groups[id].width}, {"width", width}};
    // Of quadrature: which channels are kept, and the error for every width.
    for (const auto& measured : outcome.made.groups)
      if (measured.name == outcome.groups[id].name) group.update(group_record(measured));
    groups.push_back(std::move(group));
  }
  Json document{{"output", options.output.string()},
                {"method", options.method},
                {"groups", std::move(groups)},
                {"layers", layer_records(outcome.made)},
                {"notes", outcome.made.chosen.notes},
                {"parameters", {{"before", outcome.before}, {"after", outcome.after}}}};
  add_skipped(document, options.context.images);
  return document;
}

void print_outcome(const ResampleArguments& options, const Outcome& outcome) {
  Table table({"group", "source width", "width"});
  for (const auto& [id, width] : outcome.made.chosen.widths)
    table.add_row({outcome.groups[id].name, std::to_string(outcome.groups[id].width), std::to_string(width)});
  std::cout << table;
  for (const auto& note : outcome.made.chosen.notes) std::cout << note << '\n';
  print_fits(outcome.made.layers, outcome.samples);
  if (options.together > 0)
    std::cout << fmt::format(
        "Joint steps on all layers: the error on validation samples is {} of the error before.\n",
        format_percent(outcome.made.together_gain));
  if (const auto& distilled = outcome.made.distilled) print_distillation(*distilled);
  std::cout << fmt::format("Wrote {}: {} parameters, {} before.\n", options.output.string(),
                           format_count(outcome.after), format_count(outcome.before));
}

MethodOptions method_of(const ResampleArguments& options) {
  MethodOptions how{.method = options.method,
                    .conversion = convert_options(options.conversion, options.context.general.seed),
                    .scoring = importance_options(options.pruning),
                    .seed = options.context.general.seed,
                    .together = options.together,
                    .distill_seconds = 60 * options.distill_minutes,
                    .curves = !options.report.empty() || !options.context.general.html.empty(),
                    .nodes_progress = step_bar("nodes", "groups"),
                    .progress = step_bar("refit", "layers"),
                    .together_progress = step_bar("joint steps", "iterations"),
                    .distill_progress = step_bar("distillation", "ms"),
                    .untouched = Untouched::shared,
                    .stop = interrupted};
  require<UsageError>(!(options.refit && options.no_refit), "cli",
                      "--refit and --no-refit are mutually exclusive.");
  if (options.refit || options.no_refit) how.refit = options.refit;
  require<UsageError>(options.together == 0 || how.refits(), "cli",
                      "--together with method {} requires --refit.", how.method);
  require<UsageError>(options.distill_minutes == 0 || !options.calibration.data.empty(), "cli",
                      "--distill-minutes requires --calibration.");
  if (how.method == "interpolate") check_order(how.conversion, !options.calibration.data.empty());
  const bool measures = how.is_measured() || how.refits();
  require<UsageError>(!measures || !options.calibration.data.empty(), "cli",
                      "Method {}{} requires --calibration.", how.method,
                      options.refit ? " with --refit" : "");
  require<UsageError>(options.report.empty() || measures, "cli",
                      "--report requires --method quadrature, rotation or --refit but got method {}.",
                      how.method);
  return how;
}

int run(const ResampleArguments& options) {
  const auto device = options.context.start();
  if (options.budget.text.empty()) check(options.widths);
  check(options.budget, options.widths, !options.calibration.data.empty());
  as_usage([&] {
    check_method(options.method);
    return 0;
  });
  check_network_output(options.output);
  check(options.pruning, options.method, !options.calibration.data.empty());
  const MethodOptions how = method_of(options);
  if (!options.report.empty()) check_output(options.report);
  const SkippedReport skipped(options.context.images);
  auto calibration = read_calibration(options.calibration, options.context.images);
  const auto [model, normalization] = options.context.open_for(calibration ? &*calibration : nullptr);
  const AnalysedNetwork& source = model.source();
  if (calibration) fit_calibration(*calibration, source.network);
  std::optional<CalibrationData> images;
  if (calibration)
    images.emplace(CalibrationData{*calibration, normalization, device, options.calibration.augmentation});
  require<UsageError>(ranks().count == 1 || options.budget.text.find("latency") == std::string::npos, "cli",
                      "A budget of latency is measured by one process but there are {}.", ranks().count);
  PruneOptions widths = prune_options(options.widths);
  widths.scope = scope_of(options.pruning);
  if (!options.budget.text.empty()) {
    const auto curves = model_error_curves(
        model, widths, *images, {.seed = how.seed, .progress = step_bar("error curves", "groups")});
    widths = within_budget(model, budget_of(options.budget), widths, curves, *images,
                           {.rechecks = options.budget.rechecks,
                            .latency_table = options.budget.latency_table,
                            .curves = {.seed = how.seed},
                            .recheck_progress = step_bar("recheck", "networks")});
  }
  const InterruptGuard interrupts;
  Resampled made = resample_by(model, widths, how, images);
  if (options.fold_batch_norm) made.network = fold_batch_norm(made.network);
  if (options.channels_last) made.network.to_channels_last();
  if (ranks().rank != 0) return 0;
  write_network(made.network, options.output, options.dynamic_batch);
  if (!options.report.empty()) write_report(made, options.report);
  const int64_t after = count_parameters(made.network);
  const Outcome outcome{.groups = source.groups.groups,
                        .made = std::move(made),
                        .before = count_parameters(source.network),
                        .after = after,
                        .samples = calibration ? calibration->size() : 0};
  show(options.context.general, document_of(options, outcome), [&] { print_outcome(options, outcome); });
  require<std::runtime_error>(!interrupted(), "cli",
                              "Interrupted: {} was written with the refits and steps made so far.",
                              options.output.string());
  return 0;
}

std::string methods_text() {
  std::string text;
  for (const auto& name : resampling_methods()) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

Command resample_command() {
  return {
      .name = "resample",
      .summary = "Changes a network's widths (pruning, folding, interpolation, quadrature) and writes it",
      .examples =
          "  inn resample integral.pt2 -o half.pt2 --keep 0.5\n"
          "  inn resample resnet20.pt2 -o half.pt2 --keep 0.5 --method quadrature --calibration images/\n"
          "  inn resample resnet20.pt2 -o half.pt2 --keep 0.5 --method l1 --refit --calibration images/\n"
          "  inn resample resnet20.pt2 -o half.pt2 --budget macs=0.5 --round-to 8 --method quadrature "
          "--calibration images/\n"
          "  inn resample decoder.pt2 -o narrow.pt2 --keep 0.9 --groups embed:1 --method rotation "
          "--calibration tokens.pt\n"
          "  inn resample resnet20.pt2 -o fast.pt2 --keep 1 --fold-batch-norm --channels-last\n"
          "  inn resample resnet20.pt2 -o out.pt2 --width layer1.0.conv1=12 layer2.0.conv1=20\n"
          "  inn resample resnet20.pt2 -o out.pt2 --keep 0.7 --groups 'layer3.*' --round-to 8\n"
          "  inn resample resnet20.pt2 -o out.pt2 --keep 0.5 --method taylor --scope global --max-cut 0.9 "
          "--calibration images/\n"
          "  inn resample resnet20.pt2 -o out.pt2 --keep 0.5 --method fpgm --scope isomorphic --exclude "
          "'layer1.*'",
      .declare = [](CLI::App& app) -> std::function<int()> {
        auto options = std::make_shared<ResampleArguments>();
        options->context.add_model(app);
        add_output_option(app, options->output);
        add_width_options(app, options->widths);
        add_budget_options(app, options->budget);
        app.add_option("--method", options->method, "Resampling method, one of " + methods_text())
            ->capture_default_str();
        app.add_flag("--refit", options->refit,
                     "Refit the layers to the calibration samples by least squares (default for quadrature "
                     "and rotation)");
        app.add_flag("--no-refit", options->no_refit,
                     "Do not refit; quadrature then uses the kernel's weights");
        add_together_option(app, options->together);
        add_distill_option(app, options->distill_minutes);
        app.add_option("--report", options->report, "Write nodes, error curves, ridge parameters and errors")
            ->type_name("FILE.json");
        app.add_flag("--fold-batch-norm", options->fold_batch_norm,
                     "For inference: fold each batch norm into the preceding convolution or linear layer");
        app.add_flag("--channels-last", options->channels_last,
                     "For inference on a CPU: store convolution weights in channels-last format");
        add_pruning_options(app, options->pruning);
        add_kernel_options(app, options->conversion);
        add_calibration_options(app, options->calibration);
        add_dynamic_batch_option(app, options->dynamic_batch);
        options->context.add_options(app, {.data = true, .device = true, .html = true});
        return [options] { return run(*options); };
      },
      .distributed = true};
}

}  // namespace inn::cli
