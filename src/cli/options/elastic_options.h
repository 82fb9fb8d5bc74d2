#pragma once
// Options of training at several widths: distribution, width rule, distillation.

#include <optional>
#include <string>
#include <vector>

#include "inn/data/batches.h"
#include "inn/model/integral_model.h"
#include "inn/train/train.h"
#include "options/general.h"

namespace CLI {
class App;
}

namespace inn::cli {

struct WidthLawOptions {
  std::string law = {};   // of fractions; empty: no random widths
  std::string rule = {};  // empty: the default
  bool independent = false;
};

/// Declares --widths, --independent-widths and --width-rule.
void add_width_law_options(CLI::App& app, WidthLawOptions& options);

/// Returns the distribution, or nothing. With a distribution, fills in the width rule, and in-place
/// distillation if no teacher is given and the rule supports it. Throws UsageError for an invalid
/// distribution or rule, and for options that require a distribution.
std::optional<FractionDistribution> read_width_law(const WidthLawOptions& options,
                                                   std::vector<std::string>& teachers, TrainOptions& train);

/// Declares --distill, --distill-weight and --temperature. sources: "in-place", a model, or both; or "none".
void add_distillation_options(CLI::App& app, std::vector<std::string>& sources, TrainOptions& train);

/// Fills in the distillation and reads the teacher, if any. Throws as read_network does.
void read_distillation(const std::vector<std::string>& sources, uint64_t seed, TrainOptions& train);

/// Throws UsageError if the teacher's archive records another normalization.
void check_teacher(const TrainOptions& train, const Normalization& normalization, const Dataset& data);

}  // namespace inn::cli
