#pragma once
// Normalization of pixels with shift and flip.

#include <array>
#include <cstdint>
#include <vector>

#include "inn/data/normalization.h"

namespace inn {

/// Throws std::invalid_argument unless the normalization fits the number of channels.
void check_normalization(const Normalization& normalization, int64_t channels);

/// The shift of an image: output pixel (y, x) is input pixel (y + down, x + right), optionally with x
/// mirrored first.
struct PixelCut {
  int64_t down = 0, right = 0;
  bool mirrored = false;
};

/// Writes images as numbers.
class PixelWriter {
 public:
  PixelWriter(const Normalization& normalization, int64_t channels);

  /// image: [channels, height, width], one after the other in memory, as `to` is. Pixels outside are black,
  /// i.e. 0 before normalization.
  void write(const uint8_t* image, float* to, int64_t height, int64_t width, const PixelCut& cut) const;

 private:
  static constexpr int64_t kPixelValues = 256;
  using Table = std::array<float, kPixelValues>;

  static void write_channel(const uint8_t* from, float* to, int64_t height, int64_t width, const Table& table,
                            const PixelCut& cut);

  std::vector<Table> tables_;  // for each channel, the normalized number of each pixel value
};

}  // namespace inn
