#include <CLI/CLI.hpp>
#include <iostream>

#include "cli/command.h"
#include "cli/conversion.h"
#include "cli/general.h"
#include "cli/image_source.h"
#include "cli/output.h"
#include "cli/pruning.h"
#include "cli/resampled.h"
#include "cli/usage_error.h"
#include "cli/width_choice.h"
#include "inn/report/table.h"
#include "inn/train/evaluate.h"

namespace inn::cli {
namespace {

struct Options {
  GeneralOptions general;
  ModelOptions model;
  ConversionOptions conversion;
  WidthChoice widths;
  PruningOptions pruning;
  CalibrationOptions calibration;
  NormalizationOptions normalization;
  std::string method = "interpolate";
  bool dynamic_batch = false;
  std::filesystem::path output;
};

constexpr int64_t kCalibrationBatch = 256;

int64_t count_parameters(const Network& network) {
  int64_t count = 0;
  for (const auto& entry : network.state)
    if (entry.kind == StateEntry::Kind::parameter) count += entry.tensor.numel();
  return count;
}

struct Outcome {
  std::vector<Group> groups;  // at their source widths
  ChosenWidths chosen;
  int64_t before, after;  // parameters
};

void report(const Options& options, const Outcome& outcome) {
  if (options.general.json) {
    Json groups = Json::array();
    for (const auto& [id, width] : outcome.chosen.widths)
      groups.push_back(
          {{"name", outcome.groups[id].name}, {"source_width", outcome.groups[id].width}, {"width", width}});
    print({{"output", options.output.string()},
           {"method", options.method},
           {"groups", std::move(groups)},
           {"notes", outcome.chosen.notes},
           {"parameters", {{"before", outcome.before}, {"after", outcome.after}}}});
    return;
  }
  Table table({"group", "source width", "width"});
  for (const auto& [id, width] : outcome.chosen.widths)
    table.add_row({outcome.groups[id].name, std::to_string(outcome.groups[id].width), std::to_string(width)});
  std::cout << table;
  for (const auto& note : outcome.chosen.notes) std::cout << note << '\n';
  std::cout << fmt::format("Wrote {}: {} parameters, {} before.\n", options.output.string(),
                           format_count(outcome.after), format_count(outcome.before));
}

Pruned made_of(const Model& model, const AnalysedNetwork& source, const Options& options,
               const ResampleOptions& how, const std::optional<MeasuringImages>& images) {
  if (is_importance(how.method))
    return pruned(model, how.method, options.widths, options.pruning, images, how.seed);
  ChosenWidths chosen = widths_of(model, source, options.widths);
  Network network = resampled(model, chosen.widths, how);
  return {std::move(network), std::move(chosen)};
}

int run(const Options& options) {
  const auto device = start(options.general);
  check(options.widths);
  as_usage([&] {
    check_method(options.method);
    return 0;
  });
  check_network_output(options.output);
  check(options.pruning, options.method, !options.calibration.data.empty());
  const ResampleOptions how{.method = options.method,
                            .conversion = convert_options(options.conversion, options.general.seed),
                            .seed = options.general.seed};
  const auto calibration = read_calibration(options.calibration);
  Network read = read_network(options.model, options.general.seed);
  const Normalization normalization = normalization_of(options.normalization, read);
  if (!options.normalization.mean.empty() || !options.normalization.std.empty())
    keep_normalization(read, normalization);

  const Model model = open_model(std::move(read));
  const AnalysedNetwork source = model.source();
  std::optional<MeasuringImages> images;
  if (calibration) images.emplace(MeasuringImages{*calibration, normalization, device});
  Pruned made = made_of(model, source, options, how, images);
  if (calibration) {
    made.network.to(device);
    recalibrate(made.network, *calibration, normalization, kCalibrationBatch);
    made.network.to(c10::Device(c10::kCPU));
  }
  write_network(made.network, options.output, options.dynamic_batch);
  report(options, {.groups = source.groups.groups,
                   .chosen = std::move(made.chosen),
                   .before = count_parameters(source.network),
                   .after = count_parameters(made.network)});
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
      .summary = "Writes the plain network that has other widths",
      .examples =
          "  inn resample integral.pt2 -o half.pt2 --keep 0.5\n"
          "  inn resample resnet20.pt2 -o half.pt2 --keep 0.5 --method l1 --calibration images/\n"
          "  inn resample resnet20.pt2 -o out.pt2 --width layer1.0.conv1=12 layer2.0.conv1=20\n"
          "  inn resample resnet20.pt2 -o out.pt2 --keep 0.7 --groups 'layer3.*' --round-to 8\n"
          "  inn resample resnet20.pt2 -o out.pt2 --keep 0.5 --method taylor --scope global --max-cut 0.9 "
          "--calibration images/\n"
          "  inn resample resnet20.pt2 -o out.pt2 --keep 0.5 --method fpgm --scope isomorphic --exclude "
          "'layer1.*'",
      .declare = [](CLI::App& app) -> std::function<int()> {
        auto options = std::make_shared<Options>();
        add_model_options(app, options->model);
        add_output_option(app, options->output);
        add_width_options(app, options->widths);
        app.add_option("--method", options->method, "One of " + methods_text())->capture_default_str();
        add_pruning_options(app, options->pruning);
        add_kernel_options(app, options->conversion);
        add_calibration_options(app, options->calibration);
        add_normalization_options(app, options->normalization);
        app.add_flag("--dynamic-batch", options->dynamic_batch,
                     "Make the batch dynamic where the source's was not");
        add_general_options(app, options->general);
        add_device_option(app, options->general);
        return [options] { return run(*options); };
      }};
}

}  // namespace inn::cli
