#include "inn/train/agreement.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/ranges.h>

#include "inn/calibration/calibration_run.h"
#include "inn/core/error.h"
#include "inn/core/progress.h"
#include "inn/train/scores.h"

namespace inn {
namespace {

constexpr double kLeastVariation = 1e-12;

/// Sums over all outputs: Σ (a − b)², Σ b², Σ b, outputs, agreeing places, places.
at::Tensor sums_of(const at::Tensor& a, const at::Tensor& b) {
  require(b.dim() >= 2 && a.sizes() == b.sizes(), "train",
          "Agreement: outputs must have the same size and at least two axes but are [{}] and [{}].",
          fmt::join(a.sizes(), ", "), fmt::join(b.sizes(), ", "));
  const int64_t axis = b.dim() >= 4 ? 1 : -1;
  const auto same = a.argmax(axis) == b.argmax(axis);
  const auto x = a.to(at::kDouble), y = b.to(at::kDouble);
  const auto count = [&](int64_t number) { return at::scalar_tensor(number, y.options()); };
  return at::stack({(x - y).square().sum(), y.square().sum(), y.sum(), count(y.numel()),
                    same.sum().to(at::kDouble), count(same.numel())});
}

/// Both networks, and the sums over the batches that they have seen.
class Comparison {
 public:
  Comparison(const Network& network, const Network& reference) : compared_(network), source_(reference) {
    compared_.set_training(false);
    source_.set_training(false);
  }

  void add(const std::vector<c10::IValue>& inputs) {
    const auto found = compared_.forward(inputs), wanted = source_.forward(inputs);
    require(found.size() == 1 && wanted.size() == 1 && wanted[0].isTensor(), "train",
            "Agreement: networks must return one tensor but return {} outputs.", wanted.size());
    const auto added = sums_of(found[0].toTensor(), wanted[0].toTensor());
    sums_ = sums_.defined() ? sums_ + added : added;
  }

  Agreement result(const std::string& source) const {
    require(sums_.defined(), "train", "Agreement: the data set '{}' has no samples.", source);
    const auto totals = sums_.cpu();
    const auto total = [&](int64_t index) { return totals[index].item<double>(); };
    const double variation = total(1) - total(2) * total(2) / total(3);
    Agreement result{.agreeing = static_cast<int64_t>(total(4)), .count = static_cast<int64_t>(total(5))};
    result.agreement = static_cast<double>(result.agreeing) / static_cast<double>(result.count);
    result.error = total(0) / std::max(variation, kLeastVariation);
    return result;
  }

 private:
  Network compared_, source_;
  at::Tensor sums_;
};

}  // namespace

Agreement agreement(const Network& network, const Network& reference, const Dataset& data,
                    const Normalization& normalization, const EvalOptions& options) {
  const at::NoGradGuard no_grad;
  const auto place = input_options(reference);
  const Batches batches(data, {.batch_size = options.batch_size, .normalization = normalization});
  Progress progress(
      {.label = "compare", .total = data.size(), .unit = "samples", .descriptor = options.progress ? 2 : -1});
  Comparison comparison(network, reference);
  for (const Batch& batch : batches.epoch(0)) {
    if (batch.empty()) continue;
    comparison.add({to_input_options(batch.inputs, place)});
    progress.advance(batch.indices.size(0));
  }
  return comparison.result(data.source);
}

Agreement agreement(const Network& network, const Network& reference, const Calibration& data) {
  const at::NoGradGuard no_grad;
  Comparison comparison(network, reference);
  for_each_batch(data, [&](const CalibrationBatch& batch) { comparison.add(batch.inputs); });
  return comparison.result("");
}

}  // namespace inn
