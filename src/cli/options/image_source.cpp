#include "options/image_source.h"

#include <CLI/CLI.hpp>
#include <cmath>

#include "inn/core/error.h"
#include "options/general.h"
#include "options/limits.h"
#include "options/usage_error.h"

namespace inn::cli {
namespace {

constexpr const char* kRecord = "inn.json";

void check(const char* option, const std::vector<double>& values, bool positive) {
  for (const double value : values)
    require<UsageError>(std::isfinite(value) && (!positive || value > 0), "cli", "{}: must be {} but got {}.",
                        option, positive ? "finite numbers above 0" : "finite numbers", value);
}

/// What extra/inn.json says; an empty object where there is none.
Json record_of(const Network& network) {
  const auto found = network.extra.find(kRecord);
  if (found == network.extra.end()) return Json::object();
  auto record = Json::parse(found->second, nullptr, false);
  require<std::runtime_error>(record.is_object(), "cli",
                              "The model's extra/{} is corrupt: it is not a JSON object.", kRecord);
  return record;
}

std::vector<double> numbers_of(const Json& record, const char* key, std::vector<double> otherwise) {
  if (!record.contains(key)) return otherwise;
  const Json& values = record[key];
  bool numbers = values.is_array() && !values.empty();
  for (const auto& value : values) numbers = numbers && value.is_number();
  require<std::runtime_error>(
      numbers, "cli", "The model's extra/{} is corrupt: '{}' must be a list of numbers.", kRecord, key);
  return values.get<std::vector<double>>();
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
  const Json record = record_of(network);
  Normalization normalization;
  normalization.mean = options.mean.empty() ? numbers_of(record, "mean", normalization.mean) : options.mean;
  normalization.std = options.std.empty() ? numbers_of(record, "std", normalization.std) : options.std;
  return normalization;
}

std::optional<Normalization> kept_normalization(const Network& network) {
  const Json record = record_of(network);
  if (!record.contains("mean") || !record.contains("std")) return std::nullopt;
  return Normalization{numbers_of(record, "mean", {}), numbers_of(record, "std", {})};
}

void keep_normalization(Network& network, const Normalization& normalization) {
  Json record = record_of(network);
  record["mean"] = normalization.mean;
  record["std"] = normalization.std;
  network.extra[kRecord] = record.dump();
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
