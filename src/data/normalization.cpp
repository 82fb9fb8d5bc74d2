#include "inn/data/normalization.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "inn/core/error.h"
#include "pixels.h"

namespace inn {

void check_normalization(const Normalization& normalization, int64_t channels) {
  const auto check = [channels](const char* name, const std::vector<double>& values, double above) {
    const auto count = static_cast<int64_t>(values.size());
    require(count == 1 || count == channels, "data", "Normalization: {} must have 1 or {} values but has {}.",
            name, channels, count);
    for (const double value : values) {
      require(std::isfinite(value) && value > above, "data", "Normalization: {} must be finite{} but has {}.",
              name, above == 0 ? " and positive" : "", value);
    }
  };
  check("mean", normalization.mean, -std::numeric_limits<double>::infinity());
  check("std", normalization.std, 0);
}

PixelWriter::PixelWriter(const Normalization& normalization, int64_t channels)
    : tables_(static_cast<size_t>(channels)) {
  check_normalization(normalization, channels);
  const auto of = [](const std::vector<double>& values, size_t c) {
    return values[values.size() == 1 ? 0 : c];
  };
  for (size_t c = 0; c < tables_.size(); ++c) {
    for (int64_t value = 0; value < kPixelValues; ++value) {
      const double scaled = static_cast<double>(value) / 255.0;
      tables_[c][static_cast<size_t>(value)] =
          static_cast<float>((scaled - of(normalization.mean, c)) / of(normalization.std, c));
    }
  }
}

void PixelWriter::write(const uint8_t* image, float* to, int64_t height, int64_t width,
                        const PixelCut& cut) const {
  for (const auto& table : tables_) {
    write_channel(image, to, height, width, table, cut);
    image += height * width;
    to += height * width;
  }
}

void PixelWriter::write_channel(const uint8_t* from, float* to, int64_t height, int64_t width,
                                const Table& table, const PixelCut& cut) {
  const float black = table[0];
  // Columns [first, last) of the cut image come from inside the source.
  const int64_t first = std::clamp<int64_t>(-cut.right, 0, width);
  const int64_t last = std::clamp<int64_t>(width - cut.right, 0, width);
  for (int64_t y = 0; y < height; ++y, to += width) {
    const int64_t source_y = y + cut.down;
    if (source_y < 0 || source_y >= height) {
      std::fill_n(to, width, black);
      continue;
    }
    const uint8_t* row = from + source_y * width + cut.right;
    std::fill(to, to + first, black);
    for (int64_t x = first; x < last; ++x) to[x] = table[row[x]];
    std::fill(to + last, to + width, black);
    if (cut.mirrored) std::reverse(to, to + width);
  }
}

at::Tensor normalize(const at::Tensor& images, const Normalization& normalization) {
  require(
      images.defined() && images.dim() == 4 && images.scalar_type() == at::kByte && images.device().is_cpu(),
      "data", "Images must be uint8 [N, C, H, W] on the CPU but are {}.",
      images.defined() ? fmt::format("{} with {} axes", images.toString(), images.dim()) : "undefined");
  const PixelWriter writer(normalization, images.size(1));
  const at::Tensor source = images.contiguous();
  at::Tensor result = at::empty(source.sizes(), at::kFloat);
  const int64_t size = source.numel() / std::max<int64_t>(1, source.size(0));
  constexpr int64_t kPixelsPerThread = 1 << 15;
  at::parallel_for(0, source.size(0), std::max<int64_t>(1, kPixelsPerThread / std::max<int64_t>(1, size)),
                   [&](int64_t begin, int64_t end) {
                     for (int64_t i = begin; i < end; ++i)
                       writer.write(source.const_data_ptr<uint8_t>() + i * size,
                                    result.data_ptr<float>() + i * size, source.size(2), source.size(3), {});
                   });
  return result;
}

}  // namespace inn
