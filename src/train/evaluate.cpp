#include "inn/train/evaluate.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>

#include "inn/calibration/calibration_run.h"
#include "inn/core/error.h"
#include "inn/core/progress.h"
#include "inn/core/ranks.h"
#include "inn/model/batch_norm.h"
#include "inn/train/scores.h"

namespace inn {

at::TensorOptions input_options(const Network& network) {
  for (const auto& entry : network.state)
    if (entry.tensor.is_floating_point()) return entry.tensor.options().requires_grad(c10::nullopt);
  return at::TensorOptions(at::kFloat).device(at::kCPU);
}

int64_t count_classes(const Dataset& data, const char* who) {
  require(data.size() > 0, "train", "{}: the data set has no samples.", who);
  require(data.labels.defined(), "train", "{}: the data set '{}' has no labels.", who, data.source);
  return data.has_classes() ? data.labels.max().item<int64_t>() + 1 : 0;
}

at::Tensor to_input_options(const at::Tensor& inputs, const at::TensorOptions& place) {
  return inputs.is_floating_point() ? inputs.to(place) : inputs.to(place.device());
}

Scores scores_of(const at::Tensor& outputs, const at::Tensor& labels, int64_t classes) {
  if (labels.is_floating_point()) {
    const bool column = labels.dim() == 1 && outputs.dim() == 2 && outputs.size(1) == 1;
    const auto targets = column ? labels.unsqueeze(1) : labels;
    require(outputs.sizes() == targets.sizes(), "train",
            "For targets [{}] the network must return outputs of the same size but returns [{}].",
            fmt::join(labels.sizes(), ", "), fmt::join(outputs.sizes(), ", "));
    return {outputs, targets};
  }
  const bool fits =
      outputs.dim() == labels.dim() + 1 && outputs.sizes().slice(0, labels.dim()) == labels.sizes();
  require(fits && outputs.size(-1) >= classes, "train",
          "For labels [{}] of {} classes the network must return [{}, at least {}] outputs but returns [{}].",
          fmt::join(labels.sizes(), ", "), classes, fmt::join(labels.sizes(), ", "), classes,
          fmt::join(outputs.sizes(), ", "));
  return {outputs.flatten(0, -2), labels.flatten()};
}

at::Tensor Scores::count_correct() const {
  if (labels.is_floating_point()) return at::zeros({}, labels.options().dtype(at::kLong));
  return (outputs.argmax(1) == labels).sum();
}

namespace {

/// A sample whose mean square error is not above this has a PSNR of 100 dB.
constexpr double kExact = 1e-10;

/// Sums of the metrics over the samples of a batch.
at::Tensor sums_of(const Scores& scores) {
  const auto outputs = scores.outputs.to(at::kDouble);
  if (!scores.labels.is_floating_point()) {
    const auto loss = at::cross_entropy_loss(outputs, scores.labels, {}, at::Reduction::Sum);
    return at::stack({loss, scores.count_correct().to(at::kDouble)});
  }
  const auto difference = (outputs - scores.labels.to(at::kDouble)).reshape({outputs.size(0), -1});
  const auto squares = difference.square().mean(1);
  return at::stack(
      {squares.sum(), difference.abs().mean(1).sum(), -10 * squares.clamp_min(kExact).log10().sum()});
}

/// The sums over the batches seen.
class Evaluation {
 public:
  Evaluation(bool has_classes, c10::Device device)
      : has_classes_(has_classes),
        sums_(at::zeros({has_classes ? 2 : 3}, at::TensorOptions(at::kDouble).device(device))) {}

  /// `classes`: one more than the largest label.
  void add(const at::Tensor& outputs, const at::Tensor& labels, int64_t classes) {
    sums_ += sums_of(scores_of(outputs, labels, classes));
    count_ += has_classes_ ? labels.numel() : labels.size(0);
  }

  EvalResult result() const {
    const auto totals = sums_.cpu();
    const auto count = static_cast<double>(count_);
    if (!has_classes_)
      return {.count = count_,
              .loss = totals[0].item<double>() / count,
              .regression = Regression{totals[1].item<double>() / count, totals[2].item<double>() / count}};
    EvalResult result{.correct = totals[1].item().to<int64_t>(), .count = count_};
    result.accuracy = static_cast<double>(result.correct) / count;
    result.loss = totals[0].item<double>() / count;
    return result;
  }

  int64_t count() const { return count_; }

 private:
  bool has_classes_;
  int64_t count_ = 0;
  at::Tensor sums_;
};

EvalResult evaluate_forward(const std::function<at::Tensor(const at::Tensor&)>& forward,
                            const at::TensorOptions& place, const Dataset& data,
                            const Normalization& normalization, const EvalOptions& options) {
  const at::NoGradGuard no_grad;
  const int64_t classes = count_classes(data, "Evaluation");
  Evaluation evaluation(data.has_classes(), place.device());
  const Batches batches(data, {.batch_size = options.batch_size, .normalization = normalization});
  require(data.has_classes() || (!options.attack && !options.corruption), "train",
          "Attacks and corruptions need class labels, which '{}' has not.", data.source);
  uint64_t count = 0;  // batches
  Progress progress({.label = "evaluate",
                     .total = data.size(),
                     .unit = "samples",
                     .descriptor = options.progress ? 2 : -1});
  for (const Batch& batch : batches.epoch(0)) {
    if (batch.empty()) continue;
    const auto labels = batch.labels.to(place.device());
    at::Tensor inputs = to_input_options(batch.inputs, place);
    const uint64_t seed = options.seed + (count++ << 32);
    if (options.corruption) inputs = corrupted(inputs, *options.corruption, normalization, seed);
    if (options.attack) inputs = attacked(forward, inputs, labels, *options.attack, normalization, seed);
    evaluation.add(forward(inputs), labels, classes);
    progress.advance(labels.size(0));
  }
  require<std::runtime_error>(evaluation.count() > 0, "train", "Data set '{}': all its samples are corrupt.",
                              data.source);
  return evaluation.result();
}

}  // namespace

EvalResult evaluate(const Network& network, const Dataset& data, const Normalization& normalization,
                    const EvalOptions& options) {
  Network evaluated = network;
  evaluated.set_training(false);
  return evaluate_forward([&](const at::Tensor& inputs) { return evaluated.forward(inputs); },
                          input_options(evaluated), data, normalization, options);
}

EvalResult evaluate(const Network& network, const Calibration& data) {
  const at::NoGradGuard no_grad;
  Network evaluated = network;
  evaluated.set_training(false);
  const auto place = input_options(evaluated);
  std::optional<Evaluation> evaluation;
  for_each_batch(data, [&](const CalibrationBatch& batch) {
    require(batch.labels.defined(), "train", "Evaluation: the batches have no labels.");
    const auto labels = batch.labels.to(place.device());
    const int64_t classes = labels.is_floating_point() ? 0 : labels.max().item<int64_t>() + 1;
    if (!evaluation) evaluation.emplace(!labels.is_floating_point(), place.device());
    const auto outputs = evaluated.forward(batch.inputs);
    require(outputs.size() == 1 && outputs[0].isTensor(), "train",
            "Evaluation: the network must return one tensor but returns {} outputs.", outputs.size());
    evaluation->add(outputs[0].toTensor(), labels, classes);
  });
  return evaluation->result();
}

EvalResult evaluate(NetworkModuleImpl& model, const Dataset& data, const Normalization& normalization,
                    const EvalOptions& options) {
  struct Mode {
    NetworkModuleImpl& model;
    bool training = model.is_training();
    ~Mode() { model.train(training); }
  } const mode{model};
  model.eval();
  return evaluate_forward([&](const at::Tensor& inputs) { return model.forward(inputs); },
                          input_options(model.network()), data, normalization, options);
}

std::vector<WidthResult> evaluate_widths(const IntegralModelImpl& model, const Dataset& data,
                                         const Normalization& normalization,
                                         std::span<const double> fractions, const WidthOptions& options) {
  const auto copy = model.clone_model();
  for (const double fraction : fractions)
    copy->resize(fraction);  // throws before any work where one can't be
  std::vector<WidthResult> results;
  for (const double fraction : fractions) {
    copy->resize(fraction);
    Network network = copy->discretize();
    if (options.calibration)
      recalibrate(network, *options.calibration,
                  {.batch_size = options.eval.batch_size,
                   .augmentation = options.augmentation,
                   .normalization = normalization});
    results.push_back({fraction, evaluate(network, data, normalization, options.eval)});
  }
  return results;
}

std::function<double(NetworkModuleImpl&)> worst_width(Dataset held_out, Normalization normalization,
                                                      std::vector<double> fractions, WidthOptions options) {
  return [=](NetworkModuleImpl& model) {
    const auto score = [&](const EvalResult& result) {
      return result.regression ? -result.loss : result.accuracy;
    };
    const auto* integral = dynamic_cast<const IntegralModelImpl*>(&model);
    if (integral == nullptr) return score(evaluate(model, held_out, normalization, options.eval));
    double worst = std::numeric_limits<double>::infinity();
    for (const auto& at : evaluate_widths(*integral, held_out, normalization, fractions, options))
      worst = std::min(worst, score(at.result));
    return worst;
  };
}

void recalibrate(Network& network, const Dataset& data, const BatchOptions& options, int64_t max_batches) {
  const auto place = input_options(network);
  BatchOptions own = options;
  own.rank = ranks().rank;
  own.ranks = ranks().count;
  const Epoch epoch = Batches(data, own).epoch(0);
  const int64_t count = max_batches > 0 ? std::min(max_batches, epoch.size()) : epoch.size();
  int64_t next = 0;
  recalibrate_batch_norm(network, [&]() -> std::optional<std::vector<c10::IValue>> {
    while (next < count)
      if (const Batch batch = epoch[next++]; !batch.empty())
        return std::vector<c10::IValue>{to_input_options(batch.inputs, place)};
    return std::nullopt;
  });
}

void recalibrate(Network& network, const Calibration& data) {
  int64_t next = 0;
  recalibrate_batch_norm(network, [&]() -> std::optional<std::vector<c10::IValue>> {
    auto batch = data.batch(next++);
    return batch ? std::optional(std::move(batch->inputs)) : std::nullopt;
  });
}

}  // namespace inn
