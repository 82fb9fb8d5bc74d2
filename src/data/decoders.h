#pragma once
// The decoders of image files, one file each.

#include <ATen/core/Tensor.h>

#include <stdexcept>
#include <string>
#include <string_view>

namespace inn {

/// A decoding error, without the file's name.
class ImageDamage : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

bool is_jpeg(std::string_view bytes);
/// Returns uint8 [H, W, 3]. Throws ImageDamage.
at::Tensor decode_jpeg(std::string_view bytes);

bool is_png(std::string_view bytes);
/// Returns uint8 [H, W, 3]. Throws ImageDamage.
at::Tensor decode_png(std::string_view bytes);

/// Throws ImageDamage if these sides exceed the limit.
void check_sides(int64_t height, int64_t width);

}  // namespace inn
