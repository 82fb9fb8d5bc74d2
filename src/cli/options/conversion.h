#pragma once
// Options of conversion.

#include <filesystem>
#include <string>
#include <vector>

#include "inn/model/integral_model.h"

namespace CLI {
class App;
}

namespace inn::cli {

struct ConversionOptions {
  std::vector<std::string> groups = {};
  std::filesystem::path dims = {};
  std::string kernel = "cubic";
  std::string quadrature = {};  // empty: default of the grids
  std::string grid = "nested";
  std::string order = "path";
};

/// Declares --kernel, --quadrature, --grid and --order.
void add_kernel_options(CLI::App& app, ConversionOptions& options);
/// Declares those, and --groups and --dims.
void add_conversion_options(CLI::App& app, ConversionOptions& options);

/// Returns the library's options, and reads the file of --dims: {"layer4.0.conv1.weight": [0]}. Throws
/// UsageError for an unknown kernel, quadrature or order.
ConvertOptions convert_options(const ConversionOptions& options, uint64_t seed);

/// Throws UsageError for an order that requires data if there is none.
void check_order(const ConvertOptions& options, bool has_calibration);

}  // namespace inn::cli
