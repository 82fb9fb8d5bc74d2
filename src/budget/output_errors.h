#pragma once
// Errors of the outputs of resampled networks.

#include <map>
#include <vector>

#include "inn/budget/error_curves.h"
#include "inn/data_quadrature/data_quadrature.h"
#include "inn/data_quadrature/kernels.h"

namespace inn {

/// The first batches with `samples` samples in total, or all if there are fewer.
Calibration first_samples(const Calibration& calibration, int64_t samples);

/// Resamples groups by data-aware quadrature and compares the outputs with the source's. The calibration's
/// first samples are used for the fits; if there are as many others, outputs are compared on those.
class OutputErrors {
 public:
  /// Throws as `resample` does, and where the network gives no floating-point tensor.
  OutputErrors(const AnalysedNetwork& source, const std::vector<GroupId>& groups,
               const Calibration& calibration, const CurveOptions& options);

  /// Returns the sum over outputs of the relative squared error at `widths`. `only_readers`: refit only
  /// layers that consume the groups, else also those with changed inputs.
  double at(const std::map<GroupId, int64_t>& widths, bool only_readers);

 private:
  const GroupNodes& nodes(GroupId id, int64_t width);

  AnalysedNetwork source_;  // in evaluation mode
  Calibration fitting_, comparing_;
  CurveOptions options_;
  std::map<GroupId, SplitKernels> kernels_;
  std::vector<std::vector<at::Tensor>> wanted_;              // by batch of `comparing_` and output
  std::vector<double> variations_;                           // of each output
  std::map<std::pair<GroupId, int64_t>, GroupNodes> nodes_;  // by group and width
};

}  // namespace inn
