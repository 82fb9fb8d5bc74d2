#pragma once
// Images that a command takes, and how their pixels become numbers.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "inn/data/batches.h"
#include "inn/data/dataset.h"
#include "inn/network/network.h"
#include "options/image_options.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace inn::cli {

struct NormalizationOptions {
  std::vector<double> mean = {}, std = {};
};

/// Declares --mean and --std.
void add_normalization_options(CLI::App& app, NormalizationOptions& options);

/// Returns what the options say; for what they leave open what the network's archive says (extra/inn.json),
/// else 0 and 1; always 0 and 1 where `data` is given and holds no images. Throws UsageError for numbers that
/// are none, and where options are given for such data; std::runtime_error where the archive's file is
/// damaged.
Normalization normalization_of(const NormalizationOptions& options, const Network& network,
                               const Dataset* data = nullptr);

struct CalibrationOptions {
  std::string data = {};
  int64_t samples = 2048;  // 0: all
  Augmentation augmentation = {};
};

/// Declares --calibration.
CLI::Option* add_calibration_option(CLI::App& app, std::string& data);
/// Declares --calibration, --samples, and what add_augmentation_options does.
void add_calibration_options(CLI::App& app, CalibrationOptions& options);

/// Returns the calibration samples, or nothing where none are asked for.
std::optional<Dataset> read_calibration(const CalibrationOptions& options, const ImageOptions& images);

}  // namespace inn::cli
