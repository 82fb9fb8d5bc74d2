#pragma once
// Samples that a training run is measured on and does not learn from.

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
  std::string data = {};  // DATA of its own, its test split
  double share = 0;       // or this share of the training data
  std::vector<double> widths = {};
};

/// Declares --validation, --hold-out, --eval-widths and --patience.
void add_held_out_options(CLI::App& app, HeldOutOptions& options, TrainOptions& train);

/// Throws UsageError where the options contradict each other.
void check(const HeldOutOptions& options, const TrainOptions& train);

/// Takes the held-out samples off `data` and gives the recipe its metric: that of the worst width; of the
/// widest and narrowest that are drawn where --eval-widths says nothing. The weights of the best epoch are
/// kept then. Images of --validation are read as the options say and brought to the size of those in `data`.
/// Batch norm's statistics are measured on a few of the training samples. Throws as `evaluate` does.
void hold_out(const HeldOutOptions& options, const ImageOptions& images, const Normalization& normalization,
              const AnyModel& model, Dataset& data, TrainOptions& train);

}  // namespace inn::cli
