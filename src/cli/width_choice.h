#pragma once
// Which widths a command gives to which groups.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cli/model_source.h"

namespace CLI {
class App;
}

namespace inn::cli {

struct WidthChoice {
  std::optional<double> keep = {};
  std::vector<std::string> widths = {};  // NAME=N
  std::vector<std::string> groups = {};  // patterns
  int64_t round_to = 1;
};

/// Declares --keep, --width, --groups and --round-to.
void add_width_options(CLI::App& app, WidthChoice& choice);

/// Throws UsageError unless the fraction of a width is above 0 and at most 8.
void check_fraction(const char* option, double fraction);

/// Throws UsageError for what the command line alone shows: no width at all, a width or a fraction that is
/// none.
void check(const WidthChoice& choice);

/// Returns the new width of every group that gets one. --keep F is max(1, round(F·n)), to the nearest
/// multiple of --round-to;
/// --width goes before it. Throws std::invalid_argument for a group that is unknown (with the nearest names),
/// pinned, or not continuous in an integral model.
std::map<GroupId, int64_t> widths_of(const Model& model, const AnalysedNetwork& source,
                                     const WidthChoice& choice);

}  // namespace inn::cli
