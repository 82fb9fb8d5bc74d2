#include "options/refit.h"

#include <CLI/CLI.hpp>

#include "options/limits.h"

namespace inn::cli {

void add_together_option(CLI::App& app, int64_t& together) {
  app.add_option("--together", together,
                 "Number of joint Gauss-Newton steps over all layers after the per-layer refits: slower, and "
                 "more accurate where much is cut")
      ->check(at_least(0))
      ->capture_default_str();
}

}  // namespace inn::cli
