#pragma once
// Shallower networks without training.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "inn/calibration/calibration.h"
#include "inn/core/progress.h"
#include "inn/depth/depth_groups.h"
#include "inn/dimension/consumers.h"
#include "inn/refit/refit.h"

namespace inn {

struct CutDepthOptions {
  /// Which blocks go. "error": one after another the one without which the outputs on the samples change least, with those
  /// before it gone. "similarity": those whose output is most like their input, by the mean cosine
  /// over samples and positions (Men et al., "ShortGPT", 2024).
  std::string choice = "error";
  int64_t choosing_samples = 128;  // at most, for the choice
  /// Whether layers are fit anew afterwards: those before a gap towards the source's stream behind it, those behind towards
  /// their outputs in the source.
  bool refit = true;
  uint64_t seed = 0;
  /// Of the choice, by runs of the network; of the refits, by layers.
  StepCallback choice_progress = nullptr, refit_progress = nullptr;
};

/// What was cut.
struct CutDepth {
  Network network;
  struct Chain {
    std::string name;
    int64_t before, after;
    std::vector<std::string> removed;  // names of blocks, in network order
  };
  std::vector<Chain> chains;
  std::vector<LayerFit> layers;  // of the refits
  /// Σ over outputs of the relative squared error on the samples of the choice: before the refits, after them.
  double error_before = 0, error_after = 0;
};

/// Returns the network with as many blocks of each chain as `depths` says, by the chains' names; others keep theirs.
///
/// Throws std::invalid_argument for an unknown chain or choice, a number of blocks out of [1, those that there are], and
/// calibration data without batches or where no output is a floating-point tensor.
CutDepth cut_depth(const AnalysedNetwork& source, const std::map<std::string, int64_t>& depths,
                   const Calibration& calibration, const CutDepthOptions& options = {});

}  // namespace inn
