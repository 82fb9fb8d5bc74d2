#pragma once
// Options of channel selection.

#include <optional>
#include <string>

#include "inn/pruning/importance.h"
#include "inn/pruning/pruning.h"

namespace CLI {
class App;
}

namespace inn::cli {

/// How channels are scored and compared; by default as in the library.
struct PruningOptions {
  std::optional<std::string> combine = {}, normalize = {}, scope = {};
  std::optional<double> p = {};
  bool count_readers = false;
};

/// Declares --scope, --combine, --normalize, --p and --count-readers.
void add_pruning_options(CLI::App& app, PruningOptions& options);

/// Throws UsageError for an unknown name, and if these options are given for a method that does not select
/// channels. For a method that is measured on data, `has_calibration` must be true.
void check(const PruningOptions& options, const std::string& method, bool has_calibration);

/// Return the library's options.
PruningScope scope_of(const PruningOptions& options);
ImportanceOptions importance_options(const PruningOptions& options);

}  // namespace inn::cli
