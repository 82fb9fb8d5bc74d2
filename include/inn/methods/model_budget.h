#pragma once
// Choosing widths of any model for a budget, on a data set.

#include <map>

#include "inn/budget/resample_to_budget.h"
#include "inn/model/any_model.h"
#include "inn/pruning/pruning.h"
#include "inn/train/dataset_calibration.h"

namespace inn {

/// Returns the error curves of the groups whose widths a budget may choose: `widths.groups` without
/// `widths.exclude` and without groups that have a width by name. They can be used for any number of budgets.
/// Throws as `error_curves` does, and std::invalid_argument if no group is left.
std::map<GroupId, ErrorCurve> model_error_curves(const AnyModel& model, const PruneOptions& widths,
                                                 const CalibrationData& data,
                                                 const CurveOptions& options = {});

/// The same on any batches of inputs, on the device of the model's tensors.
std::map<GroupId, ErrorCurve> model_error_curves(const AnyModel& model, const PruneOptions& widths,
                                                 const Calibration& data, const CurveOptions& options = {});

/// Returns `widths` with the width of each group that has a curve, chosen by `widths_within_budget`; the
/// limits of `widths` hold. Widths given by name are unchanged.
PruneOptions within_budget(const AnyModel& model, const Budget& budget, const PruneOptions& widths,
                           const std::map<GroupId, ErrorCurve>& curves, const CalibrationData& data,
                           BudgetSearchOptions options = {});
PruneOptions within_budget(const AnyModel& model, const Budget& budget, const PruneOptions& widths,
                           const std::map<GroupId, ErrorCurve>& curves, const Calibration& data,
                           BudgetSearchOptions options = {});

}  // namespace inn
