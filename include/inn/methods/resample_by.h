#pragma once
// Networks at other widths, by any method that has a name.

#include <optional>
#include <string>
#include <vector>

#include "inn/core/progress.h"
#include "inn/data_quadrature/data_quadrature.h"
#include "inn/methods/model_widths.h"
#include "inn/model/any_model.h"
#include "inn/pruning/importance.h"
#include "inn/pruning/pruning.h"
#include "inn/train/dataset_calibration.h"

namespace inn {

/// "quadrature", "interpolate", "fold", and the names of the importances.
std::vector<std::string> resampling_methods();

/// Whether the method chooses channels by an importance of that name.
bool is_importance(const std::string& method);

/// Throws std::invalid_argument with the nearest names.
void check_method(const std::string& method);

struct MethodOptions {
  std::string method = "interpolate";
  /// Whether layers are refit to the calibration data; by default only by "quadrature".
  std::optional<bool> refit = {};
  /// How a plain network is made an integral model before it is interpolated.
  ConvertOptions conversion = {};
  /// How channels are scored; its calibration and seed are set by `resample_by`.
  ImportanceOptions scoring = {};
  uint64_t seed = 0;
  int64_t together = 0;  // joint Gauss-Newton steps over all layers after the refits
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

/// Returns the plain network, in evaluation mode, in which the groups have the widths that `widths` requests,
/// made from the source weights. The model is not changed.
///
/// quadrature: nodes and weights by the data. interpolate: an integral model's groups are resized; the groups
/// of a plain network are first made continuous, their channels ordered. fold: similar channels are merged.
/// Importances: the most important channels are kept (`widths.scope` says among which). Then either layers are
/// refit to the calibration data, or batch norm is recalibrated on it, where there is any.
///
/// Throws std::invalid_argument for a width that the method can't give, and where it needs data but has none.
Resampled resample_by(const AnyModel& model, const PruneOptions& widths, const MethodOptions& options,
                      const std::optional<CalibrationData>& data);

}  // namespace inn
