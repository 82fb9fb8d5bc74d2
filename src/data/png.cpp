// PNG, by libpng's simplified interface.

#include <ATen/ops/empty.h>
#include <png.h>

#include <memory>

#include "decoders.h"

namespace inn {
namespace {

constexpr std::string_view kPngStart("\x89PNG\r\n\x1a\n", 8);

}  // namespace

bool is_png(std::string_view bytes) { return bytes.starts_with(kPngStart); }

at::Tensor decode_png(std::string_view bytes) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  const std::unique_ptr<png_image, void (*)(png_image*)> freed(&image, png_image_free);
  if (png_image_begin_read_from_memory(&image, bytes.data(), bytes.size()) == 0)
    throw ImageDamage(image.message);
  check_sides(image.height, image.width);
  // 16 bits without a gamma of their own are no linear light.
  image.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
  // Asked for no alpha, libpng would mix the colours with a background; alpha is cut off instead.
  const bool alpha = (image.format & PNG_FORMAT_FLAG_ALPHA) != 0;
  image.format = alpha ? PNG_FORMAT_RGBA : PNG_FORMAT_RGB;
  at::Tensor pixels = at::empty({image.height, image.width, alpha ? 4 : 3}, at::kByte);
  if (png_image_finish_read(&image, nullptr, pixels.data_ptr<uint8_t>(),
                            static_cast<png_int_32>(pixels.stride(0)), nullptr) == 0)
    throw ImageDamage(image.message);
  return alpha ? pixels.narrow(2, 0, 3).contiguous() : pixels;
}

}  // namespace inn
