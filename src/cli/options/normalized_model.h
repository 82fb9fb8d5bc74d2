#pragma once
// Opening a model with the normalization of its images.

#include <cstdint>

#include "options/image_source.h"
#include "options/model_source.h"

namespace inn::cli {

struct NormalizedModel {
  AnyModel model;
  Normalization normalization;
};

/// Inputs and classes of a zoo network: its defaults, or those of the data.
enum class ZooSize { its_own, of_data };

/// Opens MODEL, for `data` if given, with the normalization of --mean and --std, by default that of its
/// archive. Throws as read_network and normalization_of do.
NormalizedModel open_normalized(const ModelOptions& options, const NormalizationOptions& normalization,
                                uint64_t seed, const Dataset* data = nullptr,
                                ZooSize size = ZooSize::its_own);

}  // namespace inn::cli
