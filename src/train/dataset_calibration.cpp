#include "inn/train/dataset_calibration.h"

#include <ATen/ATen.h>

#include <memory>

#include "inn/core/error.h"
#include "inn/core/ranks.h"
#include "inn/train/scores.h"

#include <algorithm>

namespace inn {
namespace {

// A batch has so many samples at most, and so few that its largest activation stays in this many bytes: small
// batches stay in the processor's caches, and several activations are held at a time.
constexpr int64_t kMostSamples = 64, kLeastSamples = 8;
constexpr int64_t kActivationBytes = int64_t{64} << 20;

int64_t calibration_batch(const Network& network) {
  int64_t largest = 1;
  for (const auto& value : network.values) {
    if (value.kind != Value::Kind::tensor || value.sizes.empty()) continue;
    int64_t bytes = static_cast<int64_t>(c10::elementSize(value.dtype));
    for (size_t d = 1; d < value.sizes.size(); ++d) bytes *= std::max<int64_t>(1, value.sizes[d]);
    largest = std::max(largest, bytes);
  }
  return std::clamp(kActivationBytes / largest, kLeastSamples, kMostSamples);
}

}  // namespace

Calibration calibration_of(const CalibrationData& data, const Network& network, Measured needs,
                           std::optional<int64_t> shuffled) {
  require(needs == Measured::activations || data.samples.has_classes(), "train",
          "Calibration '{}': this method requires class labels, but the data has none.", data.samples.source);
  // A sample's own gradient costs a pass over its whole batch.
  const int64_t size = needs == Measured::squared_gradients ? 1 : calibration_batch(network);
  const Batches batches(data.samples, {.batch_size = size,
                                       .shuffle = shuffled.has_value(),
                                       .augmentation = data.augmentation,
                                       .normalization = data.normalization});
  const auto epoch = std::make_shared<const Epoch>(batches.epoch(shuffled.value_or(0)));
  // Ranks take their batches one after another, so that samples keep their order.
  const auto share = share_of(epoch->size(), ranks().rank, ranks().count);
  const int64_t first = share.first, end = share.second;
  require(end > first, "train",
          "Calibration '{}': {} processes require as many batches of {} samples but there are {}.",
          data.samples.source, ranks().count, size, epoch->size());
  const auto source = data.samples.source;
  const auto place = input_options(network).device(data.device);
  return {.batch = [=](int64_t index) -> std::optional<CalibrationBatch> {
            if (first + index >= end) return std::nullopt;
            const Batch batch = (*epoch)[first + index];
            require<std::runtime_error>(!batch.empty(), "train",
                                        "Calibration '{}': all images of batch {} are corrupt.", source,
                                        index);
            const auto labels = batch.labels.defined() ? batch.labels.to(place.device()) : at::Tensor();
            return CalibrationBatch{{to_input_options(batch.inputs, place)}, labels};
          },
          .loss =
              [](const std::vector<c10::IValue>& outputs, const CalibrationBatch& batch) {
                require(outputs.size() == 1 && outputs[0].isTensor(), "train",
                        "The network must return one tensor to compute a loss but returns {} outputs.",
                        outputs.size());
                const auto scores =
                    scores_of(outputs[0].toTensor(), batch.labels, batch.labels.max().item<int64_t>() + 1);
                return at::cross_entropy_loss(scores.outputs, scores.labels, {}, at::Reduction::None)
                    .reshape({batch.labels.size(0), -1})
                    .mean(1);
              }};
}

}  // namespace inn
