#include "options/image_source.h"

#include <CLI/CLI.hpp>
#include <cmath>

#include "inn/core/error.h"
#include "inn/data/normalization_record.h"
#include "options/general.h"
#include "options/limits.h"
#include "options/usage_error.h"

namespace inn::cli {
namespace {

void check(const char* option, const std::vector<double>& values, bool positive) {
  for (const double value : values)
    require<UsageError>(std::isfinite(value) && (!positive || value > 0), "cli", "{}: must be {} but got {}.",
                        option, positive ? "finite numbers above 0" : "finite numbers", value);
}

}  // namespace

void add_normalization_options(CLI::App& app, NormalizationOptions& options) {
  const auto add = [&](const char* name, std::vector<double>& values, const char* text) {
    app.add_option(name, values, text)->delimiter(',')->expected(1, 16)->type_name("NUMBERS");
  };
  add("--mean", options.mean,
      "Mean for normalization, of images scaled to [0,1]: one number or one per channel; default: the "
      "model's own, or 0");
  add("--std", options.std, "Standard deviation for normalization, likewise; default: the model's own, or 1");
}

Normalization normalization_of(const NormalizationOptions& options, const Network& network,
                               const Dataset* data) {
  check("--mean", options.mean, false);
  check("--std", options.std, true);
  if (data != nullptr && !data->holds_images()) {
    require<UsageError>(options.mean.empty() && options.std.empty(), "cli",
                        "--mean and --std require images, but '{}' contains {}.", data->source,
                        c10::toString(data->inputs.scalar_type()));
    return {};
  }
  Normalization normalization = recorded_normalization(network).value_or(Normalization{});
  if (!options.mean.empty()) normalization.mean = options.mean;
  if (!options.std.empty()) normalization.std = options.std;
  return normalization;
}

CLI::Option* add_calibration_option(CLI::App& app, std::string& data) {
  return app
      .add_option(
          "--calibration", data,
          "Calibration data, for batch-norm statistics, quadrature and refits; usually no labels needed")
      ->type_name("DATA");
}

void add_calibration_options(CLI::App& app, CalibrationOptions& options) {
  add_calibration_option(app, options.data);
  app.add_option("--samples", options.samples, "Number of calibration samples; 0: all")
      ->capture_default_str()
      ->check(at_least(0));
  add_augmentation_options(app, options.augmentation, "Augmentation of calibration images, as in training");
}

std::optional<Dataset> read_calibration(const CalibrationOptions& options, const ImageOptions& images) {
  if (options.data.empty()) return std::nullopt;
  const Dataset data = open_data(options.data, Split::any, images);
  return options.samples == 0 ? data : data.first(std::min(options.samples, data.size()));
}

}  // namespace inn::cli
