#pragma once
// Output of `inn shrink`: tables, JSON, a page.

#include <filesystem>
#include <string>

#include "inn/methods/shrink.h"
#include "options/general.h"

namespace inn::cli {

/// Prints costs and quality before and after, the widths, the stages with their times, and notes.
void print_shrink(const Shrunk& made);

/// Returns {"before": {"macs", "parameters", "memory", "latency", "accuracy", …}, "after": {…, "agreement",
/// "output_error"}, "groups": [{"name", "source_width", "width"}], "stages": [{"name", "result", "seconds"}],
/// "notes", "seconds"}. Rates are {"rate", "count", "standard_error"}.
Json shrink_json(const Shrunk& made);

/// Writes the same tables as Markdown. `source`: the name of the network.
void write_shrink_report(const Shrunk& made, const std::filesystem::path& file, const std::string& source);

}  // namespace inn::cli
