#pragma once
// Decoding, resizing and cropping one image.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <stdexcept>
#include <string>

#include "inn/core/random.h"
#include "inn/data/image_files.h"

namespace inn {

/// An image file that cannot be decoded. The message names file and reason.
class DamagedImage : public std::runtime_error {
 public:
  DamagedImage(const std::string& path, const std::string& reason);
  const std::string& reason() const { return reason_; }

 private:
  std::string reason_;
};

/// The maximum number of pixels of an image.
inline constexpr int64_t kMostPixels = int64_t{1} << 27;

/// Reads a JPEG or PNG file as RGB, uint8 [3, H, W], with interleaved channels in memory.
///
/// The format is detected from the first bytes, not from the name. Grayscale is replicated to three channels,
/// 16 bits are rounded to 8, alpha is dropped, and CMYK is converted from Adobe's inverted values: R =
/// C·K/255. Orientation tags and color profiles of JPEG are ignored. Sizes are checked against kMostPixels
/// before allocation. Throws DamagedImage for other, truncated or corrupt files and std::runtime_error if the
/// file cannot be read.
at::Tensor read_image(const std::string& path);

/// Returns an RGB image as grayscale (luma), uint8 [1, H, W]: 0.299 R + 0.587 G + 0.114 B, rounded.
at::Tensor to_grayscale(const at::Tensor& image);

/// Returns the image, uint8 [C, H, W], resized: bilinear, antialiased when shrinking, as
/// torch.nn.functional.interpolate(antialias=True).
at::Tensor resize_image(const at::Tensor& image, int64_t height, int64_t width);

/// Returns the image resized and center-cropped by an ImageFrame: uint8 [C, S, S] from uint8 [C, H, W].
at::Tensor resize_center_crop(const at::Tensor& image, const ImageFrame& frame);

/// Part of an image, in pixels.
struct ImageRegion {
  int64_t top, left, height, width;
};

/// Draws the region of a random resized crop: 8 % to 100 % of the area, aspect ratio log-uniform between 3:4
/// and 4:3; after ten regions that do not fit, the center. As torchvision's RandomResizedCrop (Szegedy et
/// al., "Going deeper with convolutions", CVPR 2015, section 6).
ImageRegion random_region(int64_t height, int64_t width, Random& random);

}  // namespace inn
