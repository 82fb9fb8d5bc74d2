#include "inn/calibration/hold_out.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <memory>

#include "inn/core/error.h"
#include "inn/core/ranks.h"

namespace inn {
namespace {

/// A batch of the whole calibration, and which of its samples are taken.
struct Part {
  int64_t batch;
  at::Tensor samples;  // int64
};

at::Tensor part_of(const at::Tensor& tensor, const at::Tensor& samples, int64_t count) {
  if (!tensor.defined() || tensor.dim() == 0 || tensor.size(0) != count) return tensor;
  return tensor.index_select(0, samples.to(tensor.device()));
}

Calibration calibration_on(const Calibration& whole, std::vector<Part> parts) {
  const auto shared = std::make_shared<const std::vector<Part>>(std::move(parts));
  return {.batch = [=, batch = whole.batch](int64_t index) -> std::optional<CalibrationBatch> {
            if (index >= static_cast<int64_t>(shared->size())) return std::nullopt;
            const Part& part = (*shared)[static_cast<size_t>(index)];
            auto found = batch(part.batch);
            require(found.has_value(), "calibration", "Calibration: batch {} is no longer there.",
                    part.batch);
            const int64_t count = found->inputs.at(0).toTensor().size(0);
            for (auto& input : found->inputs)
              if (input.isTensor()) input = part_of(input.toTensor(), part.samples, count);
            found->labels = part_of(found->labels, part.samples, count);
            return found;
          },
          .loss = whole.loss};
}

}  // namespace

HeldOut::HeldOut(int64_t asked, int64_t samples) : every(std::clamp<int64_t>(samples, 1, asked)) {}

at::Tensor HeldOut::of(int64_t first, int64_t count) const {
  const auto number = at::arange(first, first + count);
  return every > 1 ? number.remainder(every).eq(every - 1) : at::zeros_like(number, at::kBool);
}

SplitCalibration hold_out(const Calibration& calibration, int64_t every) {
  require(every >= 2, "calibration", "Calibration: every k-th sample can be held out for k ≥ 2 but got {}.",
          every);
  require(calibration.batch != nullptr, "calibration", "Calibration: batches are required but not given.");
  std::vector<int64_t> sizes;
  for (auto batch = calibration.batch(0); batch;
       batch = calibration.batch(static_cast<int64_t>(sizes.size())))
    sizes.push_back(batch->inputs.at(0).toTensor().size(0));
  int64_t all = 0;
  for (const auto size : sizes) all += size;
  int64_t first = sum_of_ranks_before(all);
  sum_over_ranks(all);
  require(all >= 2, "calibration", "Calibration: two samples are required to hold one out but got {}.", all);
  const HeldOut validation(every, all);
  std::vector<Part> rest, held_out;
  for (size_t b = 0; b < sizes.size(); first += sizes[b++]) {
    const auto is_held = validation.of(first, sizes[b]);
    const auto take = [&](const at::Tensor& chosen, std::vector<Part>& into) {
      const auto samples = chosen.nonzero().flatten();
      if (samples.numel() > 0) into.push_back({static_cast<int64_t>(b), samples});
    };
    take(is_held, held_out);
    take(is_held.logical_not(), rest);
  }
  return {calibration_on(calibration, std::move(rest)), calibration_on(calibration, std::move(held_out))};
}

}  // namespace inn
