#pragma once
// A model and how its images are normalized: what every command that runs a model opens.

#include <cstdint>

#include "options/image_source.h"
#include "options/model_source.h"

namespace inn::cli {

struct NormalizedModel {
  AnyModel model;
  Normalization normalization;
};

/// What a zoo network is made for: the inputs and classes that are its own, or those of the data.
enum class ZooSize { its_own, of_data };

/// Reads MODEL and opens it, for `data` where that is known. What --mean and --std say is kept with the
/// model; what they leave open is what its archive says. Throws as read_network and normalization_of do.
NormalizedModel open_normalized(const ModelOptions& options, const NormalizationOptions& normalization,
                                uint64_t seed, const Dataset* data = nullptr,
                                ZooSize size = ZooSize::its_own);

}  // namespace inn::cli
