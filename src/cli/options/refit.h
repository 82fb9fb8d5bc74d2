#pragma once
// Options of refits.

#include <cstdint>

namespace CLI {
class App;
}

namespace inn::cli {

/// Declares --together.
void add_together_option(CLI::App& app, int64_t& together);

}  // namespace inn::cli
