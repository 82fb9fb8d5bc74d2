#pragma once
// Image files for tests, written by libjpeg-turbo and libpng.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <png.h>
#include <turbojpeg.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "temporary_folder.h"

namespace inn {

inline void write_bytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

inline std::string read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A smooth picture, uint8 [3, H, W], another one for every seed.
inline at::Tensor picture(int64_t height, int64_t width, int64_t seed = 0) {
  const auto y = at::arange(height, at::kDouble).view({1, height, 1}) / static_cast<double>(height);
  const auto x = at::arange(width, at::kDouble).view({1, 1, width}) / static_cast<double>(width);
  const auto phase = at::arange(3, at::kDouble).view({3, 1, 1}) + static_cast<double>(seed);
  return ((at::sin(5 * x + phase) + at::cos(4 * y + 2 * phase)) * 60 + 127).to(at::kByte);
}

/// image: uint8 [C, H, W], three channels as RGB, four as the inverted CMYK of Adobe, one as gray.
inline void write_jpeg(const std::string& path, const at::Tensor& image, int quality = 95,
                       int subsampling = TJSAMP_444) {
  const at::Tensor pixels = image.permute({1, 2, 0}).contiguous();
  const int format = image.size(0) == 4 ? TJPF_CMYK : image.size(0) == 3 ? TJPF_RGB : TJPF_GRAY;
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  const tjhandle handle = tjInitCompress();
  ASSERT_EQ(tjCompress2(handle, pixels.const_data_ptr<uint8_t>(), static_cast<int>(image.size(2)), 0,
                        static_cast<int>(image.size(1)), format, &bytes, &size,
                        format == TJPF_GRAY ? TJSAMP_GRAY : subsampling, quality, 0),
            0)
      << tjGetErrorStr2(handle);
  write_bytes(path, std::string(reinterpret_cast<char*>(bytes), size));
  tjFree(bytes);
  tjDestroy(handle);
}

/// image: uint8 [C, H, W] of 1 to 4 channels: gray, gray and alpha, RGB, RGBA.
inline void write_png(const std::string& path, const at::Tensor& image) {
  const at::Tensor pixels = image.permute({1, 2, 0}).contiguous();
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(image.size(2));
  png.height = static_cast<png_uint_32>(image.size(1));
  constexpr std::array<png_uint_32, 5> kFormats{0, PNG_FORMAT_GRAY, PNG_FORMAT_GA, PNG_FORMAT_RGB,
                                                PNG_FORMAT_RGBA};
  png.format = kFormats[static_cast<size_t>(image.size(0))];
  ASSERT_NE(png_image_write_to_file(&png, path.c_str(), 0, pixels.const_data_ptr<uint8_t>(), 0, nullptr), 0)
      << png.message;
}

inline std::string message_of_error(const std::function<void()>& call) {
  try {
    call();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace inn
