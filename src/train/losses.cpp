#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include "inn/core/error.h"
#include "inn/train/train.h"
#include "recipes.h"

namespace inn::recipes {
namespace {

/// The Kullback-Leibler divergence of the softmax of the outputs over the temperature from that of the
/// teacher's, the mean over rows, times the temperature squared, by which its gradients keep their scale
/// (Hinton et al., "Distilling the knowledge in a neural network", 2015).
at::Tensor divergence(const at::Tensor& outputs, const at::Tensor& taught, const TrainOptions& options) {
  const double temperature = options.distillation.temperature;
  const auto logarithms = [&](const at::Tensor& scores) { return at::log_softmax(scores / temperature, 1); };
  const auto sum =
      at::kl_div(logarithms(outputs), logarithms(taught), at::Reduction::Sum, /*log_target=*/true);
  return sum * (temperature * temperature / static_cast<double>(outputs.size(0)));
}

/// A loss that is a distance of tensors of one size: from targets as from a teacher's outputs.
LossEntry distance_loss(std::string name, std::string doc,
                        at::Tensor (*distance)(const at::Tensor&, const at::Tensor&, int64_t)) {
  const auto mean = [name, distance](const at::Tensor& outputs, const at::Tensor& targets,
                                     const TrainOptions&) {
    require(outputs.sizes() == targets.sizes(), "train",
            "Loss '{}': requires floating-point targets of the size of the outputs [{}] but got [{}].", name,
            fmt::join(outputs.sizes(), ", "), fmt::join(targets.sizes(), ", "));
    return distance(outputs, targets, at::Reduction::Mean);
  };
  return {.name = std::move(name), .doc = std::move(doc), .mean = mean, .distance = mean};
}

}  // namespace

LossEntry mse() {
  return distance_loss("mse", "mean squared error for floating-point targets", at::mse_loss);
}

LossEntry l1() { return distance_loss("l1", "mean absolute error for floating-point targets", at::l1_loss); }

LossEntry cross_entropy() {
  return {.name = "cross_entropy",
          .doc = "softmax cross entropy for class labels, with label_smoothing",
          .mean =
              [](const at::Tensor& outputs, const at::Tensor& labels, const TrainOptions& options) {
                require(!labels.is_floating_point(), "train",
                        "Loss 'cross_entropy': labels must be classes but are {}; use 'mse' or 'l1' for "
                        "floating-point targets.",
                        c10::toString(labels.scalar_type()));
                constexpr int64_t kIgnoreNone = -100;
                return at::cross_entropy_loss(outputs, labels, {}, at::Reduction::Mean, kIgnoreNone,
                                              options.label_smoothing);
              },
          .distance = divergence};
}

}  // namespace inn::recipes
