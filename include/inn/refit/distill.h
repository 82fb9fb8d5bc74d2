#pragma once
// Distillation of a resampled network on unlabelled samples, for a given time.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "inn/calibration/calibration.h"
#include "inn/dimension/groups.h"
#include "inn/network/network.h"
#include "inn/resampling/maps.h"

namespace inn {

/// The samples of a distillation.
struct DistillationData {
  std::function<Calibration(int64_t epoch)> training;  // batches of one epoch, shuffled and augmented
  Calibration held_out;                                // other samples, for validation
};

struct DistillOptions {
  double seconds = 60;  // at most, with validation
  /// Learning rates of AdamW that are tried on a tenth of the time each; the best goes on, and falls to 0.
  std::vector<double> learning_rates = {1e-3, 3e-4, 1e-4};
  /// The number of validations; after `patience` of them without improvement the distillation ends.
  int64_t validations = 24, patience = 6;
  /// Called after each step with milliseconds. To stop early: the best state so far is kept.
  std::function<void(int64_t done, int64_t all, const std::string& step)> progress = nullptr;
  std::function<bool()> stop = nullptr;
};

struct Distilled {
  /// The factor by which the error on the held-out samples changed; 1 if no step helped.
  double gain = 1;
  double learning_rate = 0;
  int64_t steps = 0;
  double seconds = 0;
};

/// Trains all parameters of `resampled`, made from `source` by `maps`, towards the source's outputs and those of
/// its blocks: the squared errors that `refit_together` lowers. Batch norm keeps its running statistics. The
/// weights with the least error on the held-out samples are kept, those given if no others have less.
/// Labels are not used. Throws std::invalid_argument without samples, for times and rates that are not positive,
/// and in a run of several processes.
Distilled distill(Network& resampled, const AnalysedNetwork& source, const std::map<GroupId, GroupMaps>& maps,
                  const DistillationData& data, const DistillOptions& options = {});

}  // namespace inn
