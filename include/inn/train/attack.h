#pragma once
// Images that are changed to be misclassified, and images that are worse: how robust a network is.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>

#include "inn/data/batches.h"

namespace inn {

/// Returns the network's outputs, differentiable in the images.
using ForwardFunction = std::function<at::Tensor(const at::Tensor&)>;

/// A gradient attack within eps of each pixel (of images scaled to [0, 1]).
struct Attack {
  /// "fgsm": one step of eps along the sign of the loss's gradient (Goodfellow et al., ICLR 2015). "pgd": `steps` such
  /// steps of `step` from a random start, projected onto the eps-ball each time, the worst of `restarts` (Madry et al.,
  /// ICLR 2018).
  std::string kind = "fgsm";
  double eps = 8.0 / 255;
  int64_t steps = 20, restarts = 1;
  double step = 0;  // 0: 2.5·eps/steps

  /// Reads "fgsm:eps=8/255" and "pgd:eps=8/255,steps=20,restarts=3". Throws std::invalid_argument naming what is wrong.
  static Attack parse(const std::string& text);
};

/// Returns the changed images of a batch: normalized as `images` are, within [0, 1] before it. Of each image the try with the
/// largest cross entropy. Gradients flow through the network, whose weights are not changed.
at::Tensor attacked(const ForwardFunction& forward, const at::Tensor& images, const at::Tensor& labels,
                    const Attack& attack, const Normalization& normalization, uint64_t seed);

/// A corruption of images scaled to [0, 1], of a severity from 1 to 5, with the parameters that Hendrycks and Dietterich
/// (ICLR 2019) use for CIFAR-10.
struct Corruption {
  /// "noise": Gaussian, of standard deviation 0.04, 0.06, 0.08, 0.09, 0.10. "blur": Gaussian, of standard deviation 0.4, 0.6, 0.7,
  /// 0.8, 1 pixels. "contrast": differences from the mean times 0.75, 0.5, 0.4, 0.3, 0.15.
  std::string kind = "noise";
  int64_t severity = 3;

  /// Reads "noise:3". Throws std::invalid_argument naming what is wrong.
  static Corruption parse(const std::string& text);
};

/// Returns the corrupted images, normalized as `images` are. Noise is of the seed.
at::Tensor corrupted(const at::Tensor& images, const Corruption& corruption,
                     const Normalization& normalization, uint64_t seed);

}  // namespace inn
