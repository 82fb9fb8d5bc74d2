#pragma once
// What a comparison says: as a table, as JSON, as a picture.

#include <filesystem>
#include <string>

#include "inn/methods/comparison.h"
#include "options/general.h"

namespace inn::cli {

/// Prints the source's figures and a table: a line for each variant, for each fraction how good it is and
/// what it loses to the source; then why networks are missing.
void print_comparison(const Comparison& comparison);

/// Returns {"source": {…}, "results": [{"method", "refit", "widths", "samples", "keep", "accuracy",
/// "correct", "count", "loss", "macs", "parameters", "seconds"}]}. Without labels "agreement", "agreeing" and
/// "error" stand for "accuracy", "correct" and "loss"; a network that can't be made has a "failure" only.
/// Where widths were chosen, "group_widths" and "curve_seconds" say which and in what time.
Json comparison_json(const Comparison& comparison);

/// Draws how good the networks are: against their multiply-adds, or where several numbers of samples are
/// compared, against those. Draws nothing where no network could be made. Throws as plot_lines does.
void plot_comparison(const Comparison& comparison, const std::string& title,
                     const std::filesystem::path& file);

}  // namespace inn::cli
