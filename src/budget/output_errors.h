#pragma once
// What cuts do to a network's outputs.

#include <map>
#include <vector>

#include "inn/budget/error_curves.h"
#include "inn/data_quadrature/kernels.h"

namespace inn {

/// Cuts groups by the quadrature of the data and compares the outputs with the source's. The calibration's
/// first samples are for the fits; where there are as many others, the outputs are compared on these.
class OutputErrors {
 public:
  /// Throws as `resample` does, and where the network gives no floating-point tensor.
  OutputErrors(const AnalysedNetwork& source, const std::vector<GroupId>& groups,
               const Calibration& calibration, const CurveOptions& options);

  /// Returns Σ over outputs of their squared error, each over its variation, where the groups have `widths`.
  /// `only_readers`: layers are refit that read the groups, else also those that get changed inputs.
  double at(const std::map<GroupId, int64_t>& widths, bool only_readers);

 private:
  AnalysedNetwork source_;  // in evaluation mode
  Calibration fitting_, comparing_;
  CurveOptions options_;
  std::map<GroupId, std::vector<ConsumerKernel>> kernels_;
  std::vector<std::vector<at::Tensor>> wanted_;  // by batch of `comparing_` and output
};

}  // namespace inn
