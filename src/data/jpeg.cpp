// JPEG, by libjpeg-turbo.

#include <ATen/ops/empty.h>
#include <turbojpeg.h>

#include <memory>

#include "decoders.h"

namespace inn {
namespace {

constexpr std::string_view kJpegStart("\xff\xd8\xff", 3);

using JpegHandle = std::unique_ptr<void, int (*)(tjhandle)>;

[[noreturn]] void fail_jpeg(const JpegHandle& handle) { throw ImageDamage(tjGetErrorStr2(handle.get())); }

/// Warnings are errors: libjpeg only warns where a file is cut short.
void decode_into(const JpegHandle& handle, std::string_view bytes, at::Tensor& pixels, int format) {
  const auto height = static_cast<int>(pixels.size(0)), width = static_cast<int>(pixels.size(1));
  const int pitch = static_cast<int>(pixels.stride(0));
  if (tjDecompress2(handle.get(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                    pixels.data_ptr<uint8_t>(), width, pitch, height, format, TJFLAG_STOPONWARNING) != 0)
    fail_jpeg(handle);
}

/// [H, W, 4] of inverted C, M, Y, K to [H, W, 3].
at::Tensor rgb_of_cmyk(const at::Tensor& cmyk) {
  at::Tensor rgb = at::empty({cmyk.size(0), cmyk.size(1), 3}, at::kByte);
  const auto* from = cmyk.const_data_ptr<uint8_t>();
  auto* to = rgb.data_ptr<uint8_t>();
  constexpr int kWhite = 255;
  for (int64_t pixel = 0; pixel < rgb.size(0) * rgb.size(1); ++pixel, from += 4)
    for (int c = 0; c < 3; ++c) *to++ = static_cast<uint8_t>((from[c] * from[3] + kWhite / 2) / kWhite);
  return rgb;
}

}  // namespace

bool is_jpeg(std::string_view bytes) { return bytes.starts_with(kJpegStart); }

at::Tensor decode_jpeg(std::string_view bytes) {
  const JpegHandle handle(tjInitDecompress(), tjDestroy);
  if (handle == nullptr) throw std::runtime_error("[data] libjpeg-turbo cannot allocate a decoder.");
  int width = 0, height = 0, subsampling = 0, colours = 0;
  if (tjDecompressHeader3(handle.get(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                          &width, &height, &subsampling, &colours) != 0)
    fail_jpeg(handle);
  check_sides(height, width);
  const bool cmyk = colours == TJCS_CMYK || colours == TJCS_YCCK;
  at::Tensor pixels = at::empty({height, width, cmyk ? 4 : 3}, at::kByte);
  decode_into(handle, bytes, pixels, cmyk ? TJPF_CMYK : TJPF_RGB);
  return cmyk ? rgb_of_cmyk(pixels) : pixels;
}

}  // namespace inn
