#pragma once
// Networks at other widths, by a method that has a name.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "inn/data_quadrature/data_quadrature.h"
#include "measuring.h"
#include "options/model_source.h"
#include "options/pruning.h"
#include "options/width_choice.h"
#include "step_bar.h"

namespace CLI {
class App;
}

namespace inn::cli {

/// "quadrature", "interpolate", "fold", and the names of the importances.
std::vector<std::string> resampling_methods();

/// Whether the method chooses channels by an importance of that name.
bool is_importance(const std::string& method);

/// Throws std::invalid_argument with the nearest names.
void check_method(const std::string& method);

struct MethodOptions {
  std::string method = "interpolate";
  /// Whether layers are refit to the calibration images; not said: by "quadrature" alone.
  std::optional<bool> refit = {};
  /// How a plain network is made an integral model before it is interpolated.
  ConvertOptions conversion = {};
  PruningOptions pruning = {};
  uint64_t seed = 0;
  /// Called after each layer that is refit.
  int64_t together = 0;  // steps on all layers at once after the refits
  bool curves = false;   // whether reports of groups hold the error of every number of nodes
  StepCallback progress = nullptr, together_progress = nullptr;

  bool refits() const { return refit.value_or(method == "quadrature"); }
};

struct Resampled {
  Network network;
  ChosenWidths chosen;
  std::vector<GroupReport> groups = {};  // of "quadrature"
  std::vector<LayerFit> layers = {};     // of refits
  double together_gain = 1;
};

/// Declares --together.
void add_together_option(CLI::App& app, int64_t& together);

/// Returns the plain network, in evaluation mode, in which the groups have the widths that `widths` says,
/// made from the source weights. The model is not changed.
///
/// quadrature: nodes and weights by the data. interpolate: an integral model's groups are resized; of a plain
/// network the groups are first made continuous, their channels ordered. fold: channels that are alike become
/// one. Importances: the most important channels are kept. Then either layers are refit to the calibration
/// images, or batch norm is recalibrated on them, where there are any.
///
/// Throws std::invalid_argument for a width that the method can't give, and where it needs images but has
/// none.
Resampled resampled(const Model& model, const WidthChoice& widths, const MethodOptions& options,
                    const std::optional<MeasuringImages>& images);

}  // namespace inn::cli
