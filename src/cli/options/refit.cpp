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

void add_distill_option(CLI::App& app, double& minutes) {
  app.add_option(
         "--distill-minutes", minutes,
         "Minutes of distillation at the end: train towards the source's outputs on the calibration "
         "samples, without labels; samples held out say where to stop, so the network never gets worse "
         "on those")
      ->check(CLI::Range(0.0, 1e5))
      ->capture_default_str()
      ->type_name("M");
}

}  // namespace inn::cli
