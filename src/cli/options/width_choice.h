#pragma once
// Options for groups and widths.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "inn/pruning/pruning.h"
#include "inn/pruning/width_limits.h"

namespace CLI {
class App;
}

namespace inn::cli {

struct WidthChoice {
  std::optional<double> keep = {};
  std::vector<std::string> keep_of = {};  // PATTERN=F
  std::vector<std::string> widths = {};   // NAME=N
  std::vector<std::string> groups = {};   // patterns
  std::vector<std::string> exclude = {};  // patterns
  WidthLimits limits = {};
  bool round_up = false;
};

/// Declares the options for fractions: --groups, --exclude, --round-to, --round-up, --min-width and
/// --max-cut.
void add_fraction_options(CLI::App& app, WidthChoice& choice);
/// Declares those, and --keep, --keep-of and --width.
void add_width_options(CLI::App& app, WidthChoice& choice);

/// Reads "layer1.0.conv1=12", the value of an option NAME=N: the name, and the number of `what` ("width") behind the last '='.
/// Throws UsageError.
std::pair<std::string, int64_t> read_named_count(const char* option, const std::string& text,
                                                 const std::string& what);

/// Throws UsageError unless the fraction of a width is in (0, 8].
void check_fraction(const char* option, double fraction);

/// Throws UsageError if no width is given, and for invalid widths and fractions.
void check(const WidthChoice& choice);

/// Returns the library's options.
PruneOptions prune_options(const WidthChoice& choice);

}  // namespace inn::cli
