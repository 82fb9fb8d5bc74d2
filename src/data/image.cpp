#include "inn/data/image.h"

#include <ATen/ops/_upsample_bilinear2d_aa.h>
#include <ATen/ops/empty.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "decoders.h"
#include "inn/core/error.h"

namespace inn {
namespace {

/// Larger files are no single images.
constexpr int64_t kMostImageBytes = int64_t{1} << 30;

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const auto size = static_cast<int64_t>(file.tellg());
  require<std::runtime_error>(file.good() && size >= 0, "data", "File '{}': cannot be read.", path);
  if (size > kMostImageBytes)
    throw ImageDamage(fmt::format("it has {} bytes; the limit is {}", size, kMostImageBytes));
  std::string bytes(static_cast<size_t>(size), '\0');
  file.seekg(0);
  file.read(bytes.data(), size);
  require<std::runtime_error>(file.gcount() == size, "data", "File '{}': cannot be read.", path);
  return bytes;
}

at::Tensor decoded(std::string_view bytes) {
  if (is_jpeg(bytes)) return decode_jpeg(bytes);
  if (is_png(bytes)) return decode_png(bytes);
  throw ImageDamage(bytes.empty() ? "it is empty" : "it is not JPEG or PNG");
}

void check_image(const at::Tensor& image) {
  require(image.defined() && image.dim() == 3 && image.scalar_type() == at::kByte && image.numel() > 0,
          "data", "An image must be uint8 [C, H, W].");
}

/// Half to even, as Python rounds.
int64_t half_of(int64_t number) { return std::llrint(static_cast<double>(number) / 2); }

}  // namespace

DamagedImage::DamagedImage(const std::string& path, const std::string& reason)
    : std::runtime_error(fmt::format("[data] Image '{}': cannot be decoded: {}.", path, reason)),
      reason_(reason) {}

void check_sides(int64_t height, int64_t width) {
  if (height < 1 || width < 1 || height > kMostPixels / width)
    throw ImageDamage(fmt::format("it has {}×{} pixels; the limit is {} pixels", height, width, kMostPixels));
}

at::Tensor read_image(const std::string& path) {
  try {
    return decoded(bytes_of(path)).permute({2, 0, 1});
  } catch (const ImageDamage& damage) {
    std::string reason = damage.what();
    while (!reason.empty() && (reason.back() == '.' || reason.back() == '\n')) reason.pop_back();
    throw DamagedImage(path, reason);
  }
}

at::Tensor to_grayscale(const at::Tensor& image) {
  check_image(image);
  require(image.size(0) == 3, "data", "Grayscale conversion requires three channels but the image has {}.",
          image.size(0));
  constexpr std::array<int, 3> kParts{19595, 38470, 7471};  // of 2¹⁶
  const at::Tensor planes = image.contiguous();
  const int64_t area = image.size(1) * image.size(2);
  at::Tensor result = at::empty({1, image.size(1), image.size(2)}, at::kByte);
  const auto* from = planes.const_data_ptr<uint8_t>();
  auto* to = result.data_ptr<uint8_t>();
  for (int64_t i = 0; i < area; ++i)
    to[i] = static_cast<uint8_t>(
        (from[i] * kParts[0] + from[area + i] * kParts[1] + from[2 * area + i] * kParts[2] + (1 << 15)) >>
        16);
  return result;
}

at::Tensor resize_image(const at::Tensor& image, int64_t height, int64_t width) {
  check_image(image);
  if (image.size(1) == height && image.size(2) == width) return image;
  const std::array<int64_t, 2> sides{height, width};
  // Channels last is what torch has its fast kernel for.
  return at::_upsample_bilinear2d_aa(image.unsqueeze(0).contiguous(at::MemoryFormat::ChannelsLast),
                                     at::IntArrayRef(sides), /*align_corners=*/false)
      .squeeze(0);
}

at::Tensor resize_center_crop(const at::Tensor& image, const ImageFrame& frame) {
  check_image(image);
  const int64_t side = frame.shorter_side(), height = image.size(1), width = image.size(2);
  require(frame.size >= 1 && side >= frame.size, "data",
          "Image frame: the size must be at least 1 and resize at least the size but got {} and {}.",
          frame.size, side);
  if (frame.resize == 0 && height == frame.size && width == frame.size) return image;
  const int64_t longer = side * std::max(height, width) / std::min(height, width);
  if (longer > kMostPixels / side)
    throw ImageDamage(fmt::format("it has {}×{} pixels and would have {}×{} before the center crop", height,
                                  width, side, longer));
  const at::Tensor scaled = height <= width ? resize_image(image, side, side * width / height)
                                            : resize_image(image, side * height / width, side);
  return scaled.narrow(1, half_of(scaled.size(1) - frame.size), frame.size)
      .narrow(2, half_of(scaled.size(2) - frame.size), frame.size);
}

ImageRegion random_region(int64_t height, int64_t width, Random& random) {
  constexpr double kLeastArea = 0.08, kLeastRatio = 3.0 / 4, kGreatestRatio = 4.0 / 3;
  constexpr int kTries = 10;
  const auto below = [&](int64_t count) {
    return static_cast<int64_t>(random.below(static_cast<uint32_t>(count)));
  };
  const auto h = static_cast<double>(height), w = static_cast<double>(width);
  for (int i = 0; i < kTries; ++i) {
    const double area = h * w * (kLeastArea + (1 - kLeastArea) * random.uniform());
    const double ratio = std::exp(std::log(kLeastRatio) +
                                  (std::log(kGreatestRatio) - std::log(kLeastRatio)) * random.uniform());
    const int64_t part_width = std::llrint(std::sqrt(area * ratio));
    const int64_t part_height = std::llrint(std::sqrt(area / ratio));
    if (part_width < 1 || part_width > width || part_height < 1 || part_height > height) continue;
    const int64_t top = below(height - part_height + 1), left = below(width - part_width + 1);
    return {top, left, part_height, part_width};
  }
  ImageRegion middle{0, 0, height, width};
  if (w / h < kLeastRatio) {
    middle.height = std::clamp<int64_t>(std::llrint(w / kLeastRatio), 1, height);
  } else if (w / h > kGreatestRatio) {
    middle.width = std::clamp<int64_t>(std::llrint(h * kGreatestRatio), 1, width);
  }
  middle.top = (height - middle.height) / 2;
  middle.left = (width - middle.width) / 2;
  return middle;
}

}  // namespace inn
