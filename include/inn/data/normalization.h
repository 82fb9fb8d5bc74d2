#pragma once
// Normalization of images.

#include <ATen/core/Tensor.h>

#include <vector>

namespace inn {

/// Normalization (pixel/255 − mean)/std, with one value for all channels or one per channel. Inputs that are
/// not images use the default.
struct Normalization {
  std::vector<double> mean{0.0};
  std::vector<double> std{1.0};

  bool operator==(const Normalization&) const = default;
};

/// Returns images as float32: (images/255 − mean)/std. images: uint8 [N, C, H, W] on the CPU.
///
/// Throws std::invalid_argument unless mean and std have 1 or C finite values each and std is positive.
at::Tensor normalize(const at::Tensor& images, const Normalization& normalization);

}  // namespace inn
