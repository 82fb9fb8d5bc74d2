#pragma once
// The memory of a run as a function of widths.

#include <map>
#include <vector>

#include "inn/budget/width_cost.h"
#include "inn/dimension/groups.h"

namespace inn {

/// Bytes for one sample: the state, and the activations that are live at the same time. The peak is a maximum over
/// moments, not a sum of terms; for a choice by sums it is bounded from below by a mean over moments.
class MemoryModel {
 public:
  /// Runs the network once.
  explicit MemoryModel(const AnalysedNetwork& source);

  /// Returns the state's bytes plus the peak of the activations. Of moments whose activations are the same in the
  /// source only one is kept, and no moment far below the peak.
  double peak(const std::vector<int64_t>& widths) const;
  /// Returns the state's bytes plus a mean of the activations' over moments, by `shares` (of sum 1).
  WidthCost mean(const std::vector<double>& shares) const;
  /// Returns the bytes of the activations at each moment.
  std::vector<double> activations(const std::vector<int64_t>& widths) const;

 private:
  struct Piece {  // of memory
    std::vector<AxisStructure> axes;
    double scale;  // bytes of an element

    double bytes(const std::vector<int64_t>& widths) const;
  };

  std::vector<Piece> state_;
  std::map<ValueId, Piece> values_;
  std::vector<std::vector<ValueId>> moments_;
};

}  // namespace inn
