#include "options/conversion.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>

#include "inn/core/error.h"
#include "options/general.h"
#include "options/usage_error.h"

namespace inn::cli {
namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

/// Returns the names of rules with the parameters that may follow them.
std::vector<std::string> quadrature_forms() {
  std::vector<std::string> forms;
  for (const auto& rule : quadratures())
    forms.push_back(rule.parameters.empty() ? rule.name : rule.name + "[:" + rule.parameters + "]");
  return forms;
}

std::map<std::string, std::vector<int64_t>> read_dims(const std::filesystem::path& path) {
  std::ifstream file(path);
  require<std::runtime_error>(file.is_open(), "cli", "--dims '{}': cannot read the file.", path.string());
  const Json document = Json::parse(file, nullptr, false);
  constexpr const char* kForm =
      "--dims '{}': must contain a JSON object such as {{\"layer4.0.conv1.weight\": [0]}}{}.";
  require<std::runtime_error>(document.is_object() && !document.empty(), "cli", kForm, path.string(), "");
  std::map<std::string, std::vector<int64_t>> dims;
  for (const auto& [tensor, axes] : document.items()) {
    bool whole = axes.is_array();
    for (const auto& axis : axes) whole = whole && axis.is_number_integer();
    require<std::runtime_error>(whole, "cli", kForm, path.string(),
                                fmt::format("; the value of '{}' is not a list of integers", tensor));
    dims[tensor] = axes.get<std::vector<int64_t>>();
  }
  return dims;
}

}  // namespace

void add_kernel_options(CLI::App& app, ConversionOptions& options) {
  app.add_option("--kernel", options.kernel, "Interpolation kernel, one of " + joined(kernel_names()))
      ->capture_default_str();
  std::vector<std::string> defaults;
  for (const auto& family : grid_family_names())
    defaults.push_back(fmt::format("{} for {} grids", find_grid_family(family).quadrature, family));
  app.add_option(
      "--quadrature", options.quadrature,
      fmt::format("Quadrature rule, one of {}; default: {}", joined(quadrature_forms()), joined(defaults)));
  app.add_option("--grid", options.grid, "Grid family, one of " + joined(grid_family_names()))
      ->capture_default_str();
  app.add_option("--order", options.order,
                 "Channel order: path (smooth tensors), nodes (ranked by data-aware quadrature, most "
                 "important first), none (unchanged)")
      ->capture_default_str();
}

void add_conversion_options(CLI::App& app, ConversionOptions& options) {
  app.add_option("--groups", options.groups, "Groups to make continuous (glob); default: all")
      ->type_name("PATTERN");
  app.add_option("--dims", options.dims,
                 "Dimensions to make continuous, a JSON file such as {\"layer4.0.conv1.weight\": [0]}")
      ->type_name("FILE");
  add_kernel_options(app, options);
}

ConvertOptions convert_options(const ConversionOptions& options, uint64_t seed) {
  as_usage([&] {
    find_kernel(options.kernel);
    const auto& rule = quadrature_of({.quadrature = options.quadrature, .grid = options.grid});
    require(rule.points == Quadrature::Points::any, "cli",
            "--quadrature '{}': must be a rule for arbitrary points, such as trapezoid.", rule.name);
    const auto& orders = channel_orders();
    require(std::find(orders.begin(), orders.end(), options.order) != orders.end(), "cli",
            "--order '{}': must be one of {}.", options.order, joined(orders));
    return 0;
  });
  ConvertOptions converted{.groups = options.groups,
                           .kernel = options.kernel,
                           .quadrature = options.quadrature,
                           .grid = options.grid,
                           .order = options.order,
                           .seed = seed};
  if (!options.dims.empty()) converted.dims = read_dims(options.dims);
  return converted;
}

void check_order(const ConvertOptions& options, bool has_calibration) {
  require<UsageError>(options.order != "nodes" || has_calibration, "cli",
                      "--order nodes requires --calibration.");
}

}  // namespace inn::cli
