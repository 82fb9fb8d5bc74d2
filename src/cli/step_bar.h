#pragma once
// Progress bars.

#include <string>

#include "inn/core/progress.h"

namespace inn::cli {

/// Returns a callback that shows a progress bar from the first call until everything is done. Copies share
/// the bar.
StepCallback step_bar(std::string label, std::string unit);

}  // namespace inn::cli
