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
  const std::string group = "Channel selection (importance methods)";
  app.add_option("--scope", options.scope,
                 "uniform: --keep applies to each group; global: one threshold for all chosen groups; "
                 "isomorphic: one threshold for each set of groups with the same structure [uniform]")
      ->group(group);
  app.add_option(
         "--combine", options.combine,
         "Reduction of a channel's scores over its tensors, one of " + list_of(combinations()) + " [mean]")
      ->group(group);
  app.add_option("--normalize", options.normalize,
                 "Normalization of scores within a group, one of " + list_of(score_scales()) +
                     " [mean for scope global, else none]")
      ->group(group);
  app.add_option("--p", options.p, "p of method lp [2]")->group(group);
  app.add_flag("--count-readers", options.count_readers,
               "Also include the weights of consuming layers in the score")
      ->group(group);
}

void check(const PruningOptions& options, const std::string& method, bool has_calibration) {
  if (!is_importance(method)) {
    const bool any =
        options.combine || options.normalize || options.scope || options.p || options.count_readers;
    require<UsageError>(!any, "cli",
                        "--scope, --combine, --normalize, --p and --count-readers require an importance "
                        "method but got method {}.",
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
  require<UsageError>(!options.p || *options.p > 0, "cli", "--p must be positive but got {}.",
                      options.p.value_or(0));
  require<UsageError>(has_calibration || find_importance(method).needs == Measured::nothing, "cli",
                      "Method {} requires --calibration.", method);
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
