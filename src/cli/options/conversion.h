#pragma once
// How a command turns a network into an integral model.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "inn/model/integral_model.h"
#include "measuring.h"

namespace CLI {
class App;
}

namespace inn::cli {

struct ConversionOptions {
  std::vector<std::string> groups = {};
  std::filesystem::path dims = {};
  std::string kernel = "cubic";
  std::string quadrature = {};  // empty: that of the grids
  std::string grid = "nested";
  std::string order = "path";
};

/// Declares --kernel, --quadrature, --grid and --order.
void add_kernel_options(CLI::App& app, ConversionOptions& options);
/// Declares those, and --groups and --dims.
void add_conversion_options(CLI::App& app, ConversionOptions& options);

/// Returns them as the library takes them. Reads the file of --dims: {"layer4.0.conv1.weight": [0]}. Throws
/// UsageError for a kernel, a quadrature or an order that is none.
ConvertOptions convert_options(const ConversionOptions& options, uint64_t seed);

/// Returns the network, which is on the processor, as an integral model. An order that is measured is
/// measured on the first images, without their labels; throws UsageError where there are none.
IntegralModel converted(const Network& network, ConvertOptions options,
                        const std::optional<MeasuringImages>& images);

}  // namespace inn::cli
