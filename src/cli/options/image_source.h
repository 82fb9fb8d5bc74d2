#pragma once
// Options of normalization and calibration data.

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

/// Returns the normalization of the options, by default that of the network's archive (extra/inn.json), else
/// 0 and 1; always 0 and 1 if `data` is given and has no images. Throws UsageError for invalid numbers, and
/// if options are given for such data; std::runtime_error if the archive's record is corrupt.
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

/// Returns the calibration samples, or nothing if there are none.
std::optional<Dataset> read_calibration(const CalibrationOptions& options, const ImageOptions& images);

}  // namespace inn::cli
