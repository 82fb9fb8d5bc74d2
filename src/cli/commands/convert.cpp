#include <CLI/CLI.hpp>
#include <iostream>

#include "commands/command.h"
#include "inn/core/error.h"
#include "inn/methods/convert_on.h"
#include "inn/report/table.h"
#include "options/conversion.h"
#include "options/run_context.h"
#include "options/usage_error.h"
#include "output.h"

namespace inn::cli {
namespace {

struct ConvertArguments {
  RunContext context;
  ConversionOptions conversion;
  CalibrationOptions calibration;
  std::filesystem::path output;
};

Json document(const IntegralModelImpl& model, const std::vector<std::string>& notes,
              const std::filesystem::path& output) {
  Json groups = Json::array();
  for (const auto& group : model.groups())
    groups.push_back({{"name", group.name()},
                      {"source_width", group.source_width()},
                      {"width", group.width()},
                      {"kernel", group.kernel()},
                      {"quadrature", group.quadrature()}});
  return {{"output", output.string()}, {"groups", std::move(groups)}, {"notes", notes}};
}

void print_table(const IntegralModelImpl& model, const std::vector<std::string>& notes,
                 const std::filesystem::path& output) {
  Table table({"group", "width", "kernel", "quadrature"});
  for (const auto& group : model.groups())
    table.add_row({group.name(), std::to_string(group.source_width()), group.kernel(), group.quadrature()});
  for (const auto& note : notes) std::cout << note << '\n';
  std::cout << table
            << fmt::format("Wrote {}: an integral model with {} continuous groups.\n", output.string(),
                           model.groups().size());
}

int run(const ConvertArguments& options) {
  options.context.start();
  check_integral_output(options.output);
  const auto conversion = convert_options(options.conversion, options.context.general.seed);
  check_order(conversion, !options.calibration.data.empty());
  require<UsageError>(options.calibration.data.empty() || conversion.order == "nodes", "cli",
                      "--calibration requires --order nodes but got '{}'.", conversion.order);
  const SkippedReport skipped(options.context.images);
  auto calibration = read_calibration(options.calibration, options.context.images);
  const auto [source, normalization] = options.context.open_for(calibration ? &*calibration : nullptr);
  require(!source.is_integral(), "cli", "Model '{}': it is already an integral model.",
          options.context.model.source);
  if (calibration) fit_calibration(*calibration, source.plain.network);
  std::optional<CalibrationData> images;
  if (calibration)
    images.emplace(CalibrationData{*calibration, normalization, c10::Device(c10::kCPU),
                                   options.calibration.augmentation});
  IntegralModel model = convert_on(source.plain.network, conversion, images);
  model->eval();
  save_integral(*model, options.output);
  auto notes = source.plain.groups.notes;
  const auto& more = model->structure().notes;
  notes.insert(notes.end(), more.begin(), more.end());
  if (options.context.general.json) {
    Json made = document(*model, notes, options.output);
    add_skipped(made, options.context.images);
    print(made);
  } else {
    print_table(*model, notes, options.output);
  }
  return 0;
}

}  // namespace

Command convert_command() {
  return {.name = "convert",
          .summary =
              "Converts a trained network to an integral model with the same outputs at the original widths",
          .examples =
              "  inn convert resnet20.pt2 -o integral.pt2\n"
              "  inn convert resnet20.pt2 -o integral.pt2 --groups 'layer3.*' --kernel linear\n"
              "  inn convert resnet20.pt2 -o integral.pt2 --order nodes --calibration images/\n"
              "  inn convert net.pt2 -o integral.pt2 --dims dims.json --order none",
          .declare = [](CLI::App& app) -> std::function<int()> {
            auto options = std::make_shared<ConvertArguments>();
            options->context.add_model(app);
            add_output_option(app, options->output);
            add_conversion_options(app, options->conversion);
            add_calibration_options(app, options->calibration);
            options->context.add_options(app, {.data = true, .dynamic_batch = true});
            return [options] { return run(*options); };
          }};
}

}  // namespace inn::cli
