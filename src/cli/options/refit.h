#pragma once
// Options of refits.

#include <cstdint>

namespace CLI {
class App;
}

namespace inn::cli {

/// Declares --together.
void add_together_option(CLI::App& app, int64_t& together);
/// Declares --distill-minutes.
void add_distill_option(CLI::App& app, double& minutes);

}  // namespace inn::cli
