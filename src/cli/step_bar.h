#pragma once
// How far long work has come.

#include <cstdint>
#include <functional>
#include <string>

namespace inn::cli {

/// Called in the course of long work: so many of its steps are done, and which one it is at.
using StepCallback = std::function<void(int64_t done, int64_t all, const std::string& step)>;

/// Returns a callback that shows a progress bar from the first call to the one by which all are done. Copies
/// share the bar.
StepCallback step_bar(std::string label, std::string unit);

}  // namespace inn::cli
