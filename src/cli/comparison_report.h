#pragma once
// Output of a comparison: table, JSON, plot.

#include <filesystem>
#include <string>

#include "inn/methods/comparison.h"
#include "options/general.h"

namespace inn::cli {

/// Prints the source's figures and a table: a row per variant with quality and loss relative to the source
/// for each fraction; then the reasons of missing networks.
void print_comparison(const Comparison& comparison);

/// Returns {"source": {…}, "results": [{"method", "refit", "widths", "samples", "keep", "accuracy",
/// "correct", "count", "loss", "macs", "parameters", "seconds"}]}. Without labels "agreement", "agreeing" and
/// "error" replace "accuracy", "correct" and "loss"; a network that cannot be made has only a "failure". If
/// widths were chosen, there are "group_widths" and "curve_seconds".
Json comparison_json(const Comparison& comparison);

/// Plots quality against multiply-adds, or against the number of samples if several are compared. No plot if
/// no network could be made. Throws as plot_lines does.
void plot_comparison(const Comparison& comparison, const std::string& title,
                     const std::filesystem::path& file);

}  // namespace inn::cli
