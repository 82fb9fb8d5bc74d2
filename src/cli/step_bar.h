#pragma once
// How far long work has come.

#include <string>

#include "inn/core/progress.h"

namespace inn::cli {

/// Returns a callback that shows a progress bar from the first call to the one by which all are done. Copies
/// share the bar.
StepCallback step_bar(std::string label, std::string unit);

}  // namespace inn::cli
