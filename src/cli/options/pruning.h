#pragma once
// Networks whose channels are chosen by importance.

#include <optional>
#include <string>

#include "inn/pruning/importance.h"
#include "inn/pruning/pruning.h"

namespace CLI {
class App;
}

namespace inn::cli {

/// How channels are scored and compared. What is not given has the library's default.
struct PruningOptions {
  std::optional<std::string> combine = {}, normalize = {}, scope = {};
  std::optional<double> p = {};
  bool count_readers = false;
};

/// Declares --scope, --combine, --normalize, --p and --count-readers.
void add_pruning_options(CLI::App& app, PruningOptions& options);

/// Throws UsageError for a name that is none, and where options of choosing channels are given for the method
/// interpolate, which chooses none. For a method that measures, `has_calibration` must be true.
void check(const PruningOptions& options, const std::string& method, bool has_calibration);

/// Return what the options say as the library takes it.
PruningScope scope_of(const PruningOptions& options);
ImportanceOptions importance_options(const PruningOptions& options);

}  // namespace inn::cli
