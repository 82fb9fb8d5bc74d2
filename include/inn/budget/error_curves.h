#pragma once
// What each group's width is worth to the network's output.

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "inn/budget/budget.h"
#include "inn/calibration/calibration.h"
#include "inn/data_quadrature/data_quadrature.h"

namespace inn {

struct CurveOptions {
  /// The fractions of its width that each group is cut to.
  std::vector<double> fractions = {0.1, 0.2, 0.3, 0.4, 0.55, 0.7, 0.85, 0.94};
  /// Samples that are looked at; of each so many positions.
  int64_t samples = 400;
  int64_t positions = 64;
  NodeOptions nodes = {};
  uint64_t seed = 0;
  /// Called after each group, or each network whose outputs were compared.
  std::function<void(int64_t done, int64_t all, const std::string& what)> progress = nullptr;
};

/// Returns for each group and each of its widths the mean squared error of the network's outputs, as a
/// fraction of their variation, where that group alone is cut, by the quadrature of the data with the layers
/// refit that read it. Measured at the fractions, and between them as if its logarithm were linear. Where the
/// calibration has more samples than are looked at, the outputs are compared on others than the fits are made
/// on. Throws as `resample` does, and where the network gives no floating-point tensor.
std::map<GroupId, ErrorCurve> error_curves(const AnalysedNetwork& source, const std::vector<GroupId>& groups,
                                           const Calibration& calibration, const CurveOptions& options = {});

/// Chooses widths by curves: `widths_for_budget`, say.
using ChooseWidths = std::function<std::map<GroupId, int64_t>(const std::map<GroupId, ErrorCurve>& curves)>;

struct JointWidths {
  std::map<GroupId, int64_t> widths;
  double first_error, error;  // of the outputs, with the widths of the given curves and with these
};

/// Chooses widths by the curves, and corrects the curves where they mislead: in the network in which all
/// groups have the chosen widths, each group is given back half of what it lost (or loses a quarter, where it
/// has lost nothing), and its curve is multiplied by what that wins over what the curve says. So often as
/// `rounds`, or until the outputs' error falls no more.
JointWidths choose_jointly(const AnalysedNetwork& source, std::map<GroupId, ErrorCurve> curves,
                           const ChooseWidths& choose, const Calibration& calibration, int64_t rounds = 2,
                           const CurveOptions& options = {});

}  // namespace inn
