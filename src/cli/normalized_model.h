#pragma once
// A model and how its images are normalized: what every command that runs a model opens.

#include <cstdint>

#include "cli/image_source.h"
#include "cli/model_source.h"

namespace inn::cli {

struct NormalizedModel {
  Model model;
  Normalization normalization;
};

/// Reads MODEL and opens it, made for `images` where it is a zoo network. What --mean and --std say is kept
/// with the model; what they leave open is what its archive says. Throws as read_network and
/// normalization_of do.
NormalizedModel open_normalized(const ModelOptions& options, const NormalizationOptions& normalization,
                                uint64_t seed, const Dataset* images = nullptr);

}  // namespace inn::cli
