#pragma once
// Networks whose channels are chosen by importance.

#include <map>
#include <optional>
#include <string>

#include "inn/resampling/maps.h"
#include "measuring.h"
#include "options/general.h"
#include "options/model_source.h"
#include "options/width_choice.h"

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

struct PrunedMaps {
  std::map<GroupId, GroupMaps> maps;
  ChosenWidths chosen;
};

/// Returns the maps that keep the most important channels of the model's source. Throws std::invalid_argument
/// where the choice or the importance does.
PrunedMaps pruned_maps(const Model& model, const std::string& method, const WidthChoice& widths,
                       const PruningOptions& options, const std::optional<MeasuringImages>& images,
                       uint64_t seed);

}  // namespace inn::cli
