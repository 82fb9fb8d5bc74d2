#pragma once
// Options of validation data.

#include <string>
#include <vector>

#include "inn/data/batches.h"
#include "inn/data/dataset.h"
#include "inn/train/train.h"
#include "options/image_options.h"
#include "options/model_source.h"

namespace CLI {
class App;
}

namespace inn::cli {

struct HeldOutOptions {
  std::string data = {};  // separate DATA, its test split
  double share = 0;       // or this fraction of the training data
  std::vector<double> widths = {};
};

/// Declares --validation, --hold-out, --eval-widths and --patience.
void add_held_out_options(CLI::App& app, HeldOutOptions& options, TrainOptions& train);

/// Throws UsageError for contradictory options.
void check(const HeldOutOptions& options, const TrainOptions& train);

/// Splits the validation samples off `data` and sets the recipe's metric: that of the worst width, by default
/// of the widest and narrowest of the distribution. The weights of the best epoch are then kept. Images of
/// --validation are resized like those of `data`. Batch norm is recalibrated on a few of the training
/// samples. Throws as `evaluate` does.
void hold_out(const HeldOutOptions& options, const ImageOptions& images, const Normalization& normalization,
              const AnyModel& model, Dataset& data, TrainOptions& train);

}  // namespace inn::cli
