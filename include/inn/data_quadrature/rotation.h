#pragma once
// Residual streams in the principal axes of their moments.

#include <map>

#include "inn/calibration/calibration.h"
#include "inn/data_quadrature/kernels.h"
#include "inn/dimension/groups.h"
#include "inn/resampling/maps.h"

namespace inn {

/// A network that computes the same as its source, and the maps that rotate and cut its streams.
struct Rotation {
  AnalysedNetwork source;
  std::map<GroupId, GroupMaps> maps;  // of the groups of `source`
  std::map<GroupId, double> errors;   // the share of what the layers read that the axes which were cut hold
};

/// Rotates each group of `widths` into the principal axes of what its consumers read and keeps the first ones (SliceGPT,
/// Ashkboos et al., ICLR 2024), for residual streams between RMS norms. With all channels kept, the network that the maps
/// give computes the same as the source, up to rounding.
///
/// The gains of the norms are moved into the layers behind them; a tied embedding is untied (Groups::notes of the returned
/// source). One rotation for a whole stream, since its residual sums then need no further matrices: SliceGPT has one a block,
/// and a matrix on each shortcut. RMS norms keep the scale that they had by a gain of √(n/m).
///
/// Throws std::invalid_argument for a pinned group, a width outside [1, source width], and a group with any other
/// operators on it, naming the first (a layer norm, an activation function). That the rotation changes nothing is also
/// verified on the first batch.
Rotation rotate_streams(const AnalysedNetwork& source, const std::map<GroupId, int64_t>& widths,
                        const Calibration& calibration, const KernelOptions& options = {});

}  // namespace inn
