#include "options/pruning.h"

#include <CLI/CLI.hpp>
#include <map>

#include "inn/core/error.h"
#include "inn/methods/resample_by.h"
#include "inn/pruning/combination.h"
#include "inn/pruning/pruning.h"
#include "options/limits.h"
#include "options/usage_error.h"

namespace inn::cli {
namespace {

const std::map<std::string, PruningScope>& scopes() {
  static const std::map<std::string, PruningScope> table{{"uniform", PruningScope::uniform},
                                                         {"global", PruningScope::global},
                                                         {"isomorphic", PruningScope::isomorphic}};
  return table;
}

template <class Entries>
std::string list_of(const Entries& entries) {
  std::string text;
  for (const auto& entry : entries) text += (text.empty() ? "" : ", ") + entry.name;
  return text;
}

}  // namespace

void add_pruning_options(CLI::App& app, PruningOptions& options) {
  const std::string group = "Choosing channels (methods other than interpolate)";
  app.add_option("--scope", options.scope,
                 "What --keep is a fraction of: uniform, each group; global, all chosen groups under one "
                 "threshold; isomorphic, groups of one structure under one threshold [uniform]")
      ->group(group);
  app.add_option("--combine", options.combine,
                 "How the scores of a group's tensors become one: " + list_of(combinations()) + " [mean]")
      ->group(group);
  app.add_option("--normalize", options.normalize,
                 "How groups' scores are made comparable: " + list_of(score_scales()) +
                     " [mean where the scope is global, else none]")
      ->group(group);
  app.add_option("--p", options.p, "The p of method lp [2]")->group(group);
  app.add_flag("--count-readers", options.count_readers,
               "Score by the weights that read a channel too, not only those that make it")
      ->group(group);
}

void check(const PruningOptions& options, const std::string& method, bool has_calibration) {
  if (!is_importance(method)) {
    const bool any =
        options.combine || options.normalize || options.scope || options.p || options.count_readers;
    require<UsageError>(
        !any, "cli",
        "--scope, --combine, --normalize, --p and --count-readers are for methods that choose "
        "channels; method {} chooses none.",
        method);
    return;
  }
  as_usage([&] {
    if (options.combine) find_combination(*options.combine);
    if (options.normalize) find_score_scale(*options.normalize);
    return 0;
  });
  if (options.scope && !scopes().contains(*options.scope))
    raise<UsageError>("cli", "--scope '{}': must be uniform, global or isomorphic.", *options.scope);
  require<UsageError>(!options.p || *options.p > 0, "cli", "--p: must be above 0 but got {}.",
                      options.p.value_or(0));
  require<UsageError>(has_calibration || find_importance(method).needs == Measured::nothing, "cli",
                      "Method {} is measured on data: --calibration is missing.", method);
}

PruningScope scope_of(const PruningOptions& options) {
  return scopes().at(options.scope.value_or("uniform"));
}

ImportanceOptions importance_options(const PruningOptions& options) {
  ImportanceOptions scoring;
  if (options.p) scoring.p = *options.p;
  if (options.count_readers) scoring.members = CountedMembers::all;
  if (options.combine) scoring.combine = *options.combine;
  scoring.normalize = options.normalize;
  return scoring;
}

}  // namespace inn::cli
