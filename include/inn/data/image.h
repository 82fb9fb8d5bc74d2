#pragma once
// One image: decoded from its file, resized, cut.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <stdexcept>
#include <string>

#include "inn/core/random.h"
#include "inn/data/image_files.h"

namespace inn {

/// A file that is no image that can be decoded. Its message names file and reason.
class DamagedImage : public std::runtime_error {
 public:
  DamagedImage(const std::string& path, const std::string& reason);
  const std::string& reason() const { return reason_; }

 private:
  std::string reason_;
};

/// The most pixels that an image may claim to have.
inline constexpr int64_t kMostPixels = int64_t{1} << 27;

/// Returns the image in a JPEG or PNG file as RGB, uint8 [3, H, W], the channels of a pixel side by side in
/// memory.
///
/// The file's first bytes say what it is, not its name. Gray becomes three equal channels, 16 bits are
/// rounded to 8, alpha is dropped (the colours below it stay), CMYK is read as Adobe writes it: R = C·K/255
/// of the stored, inverted values. Orientation tags and colour profiles of JPEG are not applied. Sizes are
/// checked against kMostPixels before anything is allocated. Throws DamagedImage: another kind of file, cut
/// short, damaged in any way that the decoder notices; std::runtime_error where the file can't be read.
at::Tensor read_image(const std::string& path);

/// Returns the luma of an RGB image, uint8 [1, H, W]: 0.299 R + 0.587 G + 0.114 B, rounded.
at::Tensor luma(const at::Tensor& image);

/// Returns the image, uint8 [C, H, W], with other sides: bilinear, antialiased where it shrinks, as
/// torch.nn.functional.interpolate(antialias=True).
at::Tensor resized(const at::Tensor& image, int64_t height, int64_t width);

/// Returns the image as an ImageFrame says: uint8 [C, S, S] of uint8 [C, H, W].
at::Tensor framed(const at::Tensor& image, const ImageFrame& frame);

/// Part of an image, in pixels.
struct ImageRegion {
  int64_t top, left, height, width;
};

/// Draws the part of an image that random-resized-crop takes: 8 % to all of its area, the sides' ratio
/// between 3:4 and 4:3, log-uniform; after ten parts that are too large the middle. As torchvision's
/// RandomResizedCrop (Szegedy et al., "Going deeper with convolutions", CVPR 2015, section 6).
ImageRegion random_region(int64_t height, int64_t width, Random& random);

}  // namespace inn
