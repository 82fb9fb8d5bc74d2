#pragma once
// The options of training at many widths: which widths, and what teaches them.

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
  std::string law = {};   // of fractions; empty: no widths are drawn
  std::string rule = {};  // empty: the one that measured best
  bool independent = false;
};

/// Declares --widths, --independent-widths and --width-rule.
void add_width_law_options(CLI::App& app, WidthLawOptions& options);

/// Returns the law, or nothing. With a law fills in the rule, and the distillation in place where no teacher
/// is named and the rule has what it needs. Throws UsageError for a law or a rule that is none, and for
/// options that need the law where there is none.
std::optional<FractionDistribution> read_width_law(const WidthLawOptions& options,
                                                   std::vector<std::string>& teachers, TrainOptions& train);

/// Declares --distill, --distill-weight and --temperature. sources: "in-place", a model, or both; or "none".
void add_distillation_options(CLI::App& app, std::vector<std::string>& sources, TrainOptions& train);

/// Fills in the distillation, reading the model where one is named. Throws as read_network does.
void read_distillation(const std::vector<std::string>& sources, uint64_t seed, TrainOptions& train);

/// Throws UsageError where the teacher's archive says that it takes images normalized otherwise.
void check_teacher(const TrainOptions& train, const Normalization& normalization, const Dataset& data);

}  // namespace inn::cli
