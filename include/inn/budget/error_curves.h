#pragma once
// The error of the network's outputs as a function of each group's width.

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "inn/budget/budget.h"
#include "inn/calibration/calibration.h"
#include "inn/data_quadrature/data_quadrature.h"

namespace inn {

struct CurveOptions {
  /// Of a group whose consumers are not seen (kernels.h): the fractions of its width that it is cut to.
  std::vector<double> fractions = {0.1, 0.2, 0.3, 0.4, 0.55, 0.7, 0.85, 0.94};
  /// Numbers of samples and of positions per sample that are used.
  int64_t samples = 256;
  int64_t positions = 64;
  NodeOptions nodes = {};
  uint64_t seed = 0;
  /// Called after each group or each evaluated network.
  std::function<void(int64_t done, int64_t all, const std::string& what)> progress = nullptr;
  /// Asked before each refinement round: whether the best widths so far are enough.
  std::function<bool()> stop = nullptr;
};

/// Returns for each group and each of its widths the squared error of the network's outputs, as a fraction of
/// their variation, when only that group is cut, by data-aware quadrature with its consuming layers refit. An
/// estimate to second order, of all widths from one forward and backward run (`measure_output_kernels`) and one
/// backward elimination of the channels (`rank_nodes`). Groups whose consumers are not seen are cut to
/// `fractions` of their width and the networks compared; the error's logarithm is interpolated linearly in
/// between. Throws as `resample` does, and if the network returns no floating-point tensor.
std::map<GroupId, ErrorCurve> error_curves(const AnalysedNetwork& source, const std::vector<GroupId>& groups,
                                           const Calibration& calibration, const CurveOptions& options = {});

/// Chooses widths from curves, e.g. `widths_for_budget`.
using ChooseWidths = std::function<std::map<GroupId, int64_t>(const std::map<GroupId, ErrorCurve>& curves)>;

struct JointWidths {
  std::map<GroupId, int64_t> widths;
  double first_error, error;  // of the outputs, at the widths from the given curves and at these
};

/// Chooses widths by the curves and corrects these for what they do not know: layers behind a cut are refit, and
/// make good a part of its error. They are multiplied by exp(tilt·depth), depth from −1 for the first group to
/// 1 for the last; the tilt is searched by halving steps, one network that is cut and refit for each of
/// `rounds`, and the widths of the least error of the outputs are returned.
JointWidths choose_jointly(const AnalysedNetwork& source, const std::map<GroupId, ErrorCurve>& curves,
                           const ChooseWidths& choose, const Calibration& calibration, int64_t rounds = 4,
                           const CurveOptions& options = {});

}  // namespace inn
