#pragma once
// Resampling by the name of a method.

#include <optional>
#include <string>
#include <vector>

#include "inn/calibration/calibration.h"
#include "inn/core/progress.h"
#include "inn/data_quadrature/data_quadrature.h"
#include "inn/methods/model_widths.h"
#include "inn/model/any_model.h"
#include "inn/pruning/importance.h"
#include "inn/pruning/pruning.h"
#include "inn/refit/distill.h"
#include "inn/train/dataset_calibration.h"

namespace inn {

/// "quadrature", "interpolate", "fold", "rotation", and the names of the importances.
std::vector<std::string> resampling_methods();

/// Whether the method is an importance.
bool is_importance(const std::string& method);

/// Throws std::invalid_argument with the nearest names.
void check_method(const std::string& method);

struct MethodOptions {
  std::string method = "interpolate";
  /// Your own importance; the name of the method is then not used.
  std::optional<Importance> importance = {};
  /// Whether layers are refit to the calibration data; by default only for "quadrature" and
  /// "rotation".
  std::optional<bool> refit = {};
  /// How an ordinary network is converted before it is interpolated.
  ConvertOptions conversion = {};
  /// How channels are scored; `resample_by` sets the calibration and the seed.
  ImportanceOptions scoring = {};
  uint64_t seed = 0;
  int64_t together = 0;  // joint Gauss-Newton steps over all layers after the refits
  /// Seconds of distillation on the calibration samples at the end (`distill`); 0: none.
  double distill_seconds = 0;
  bool curves = false;  // whether reports of groups include the error for every number of nodes
  /// Of the nodes of "quadrature" (groups), refits (layers), joint steps (iterations) and distillation (milliseconds).
  StepCallback nodes_progress = nullptr, progress = nullptr, together_progress = nullptr,
               distill_progress = nullptr;
  /// Whether the result may share parameters that stay as they are with the model, which then takes no memory for them:
  /// for a result that is written and not trained.
  Untouched untouched = Untouched::copied;
  /// Asked between steps of the work: whether refits, joint steps and distillation end where they are.
  std::function<bool()> stop = nullptr;

  /// Whether the method itself is measured on calibration data: quadrature and rotation, which are also refit by
  /// default.
  bool is_measured() const { return !importance && (method == "quadrature" || method == "rotation"); }
  bool refits() const { return refit.value_or(is_measured()); }
};

struct Resampled {
  Network network;
  ChosenWidths chosen;
  std::vector<GroupReport> groups = {};  // of "quadrature"
  std::vector<LayerFit> layers = {};     // of refits
  double together_gain = 1;
  std::optional<Distilled> distilled = {};
};

/// Returns the ordinary network, in evaluation mode, with the requested widths, made from the source weights.
/// The model is not changed.
///
/// quadrature: nodes and weights from data. interpolate: the groups of an integral model are resized; an
/// ordinary network is converted first, with ordered channels. fold: similar channels are merged. rotation: a residual stream in its
/// principal axes, of which the first are kept (`rotate_streams`).
/// Importances: the most important channels are kept (among which, is set by `widths.scope`). Then layers are
/// refit to the calibration data, or batch norm is recalibrated on it if it is given; then the network is
/// distilled, if it is to be.
///
/// Throws std::invalid_argument for a width that the method does not support, and if required data is
/// missing.
Resampled resample_by(const AnyModel& model, const PruneOptions& widths, const MethodOptions& options,
                      const std::optional<CalibrationData>& data);
/// The same on any batches of inputs, on the device of the model's tensors. Its loss is only required for
/// importances that use gradients.
Resampled resample_by(const AnyModel& model, const PruneOptions& widths, const MethodOptions& options,
                      const Calibration& data);

}  // namespace inn
