#include "objective.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/ranges.h>

#include "inn/core/error.h"
#include "precision.h"

namespace inn {

Objective::Objective(NetworkModuleImpl& model, const TrainOptions& options, int64_t classes)
    : model_(model),
      integral_(dynamic_cast<IntegralModelImpl*>(&model)),
      options_(options),
      classes_(classes),
      place_(input_options(model.network())),
      loss_(find_loss(options.loss)),
      passes_(parse_width_rule(options.width_rule)) {
  const bool draws = integral_ != nullptr && integral_->draws_widths();
  require(draws || passes_ == std::vector<PassWidth>{WidthDraw::random}, "train",
          "Width rule '{}': requires an integral model with width distributions.", options.width_rule);
  const auto dtype = c10::typeMetaToScalarType(place_.dtype());
  require(!options.bfloat16 || dtype == at::kFloat, "train", "bfloat16: the model must be float32 but is {}.",
          c10::toString(dtype));
  const auto& distillation = options.distillation;
  require(!distillation.in_place || (passes_[0] == PassWidth(WidthDraw::widest) && passes_.size() > 1),
          "train",
          "In-place distillation: the width rule must have several passes and start with the widest, such as "
          "'sandwich', but is '{}'.",
          options.width_rule);
  require(loss_.distance || !(distillation.in_place || distillation.source), "train",
          "Loss '{}': cannot be used for distillation.", loss_.name);
  if (!distillation.source) return;
  teacher_ = *distillation.source;
  teacher_->set_training(false);
  teacher_->to(place_.device());
  teacher_->to(dtype);
}

/// The loss is of the model's own dtype, whatever its layers computed in.
Scores Objective::forward(const at::Tensor& inputs, const at::Tensor& labels) const {
  const BFloat16Guard precision(place_.device(), options_.bfloat16);
  auto scores = scores_of(model_.forward(inputs), labels, classes_);
  scores.outputs = scores.outputs.to(place_.dtype());
  return scores;
}

at::Tensor Objective::teacher_outputs(const at::Tensor& inputs, const at::Tensor& labels) const {
  if (!teacher_) return {};
  const at::NoGradGuard no_grad;
  return scores_of(teacher_->forward(inputs), labels, classes_).outputs;
}

Objective::Value Objective::backward(const Batch& batch) {
  const auto inputs = to_input_options(batch.inputs, place_);
  const auto labels = to_input_options(batch.labels, place_);
  at::Tensor taught = teacher_outputs(inputs, labels);
  std::vector<at::Tensor> losses, correct;
  const double weight = options_.distillation.weight;
  for (const auto pass : passes_) {
    if (integral_ != nullptr) integral_->set_pass_width(pass);
    const auto scores = forward(inputs, labels);
    auto loss = loss_.mean(scores.outputs, scores.labels, options_);
    require(!taught.defined() || taught.sizes() == scores.outputs.sizes(), "train",
            "Distillation: for one batch the teacher returns [{}] but the network returns [{}].",
            fmt::join(taught.defined() ? taught.sizes() : at::IntArrayRef(), ", "),
            fmt::join(scores.outputs.sizes(), ", "));
    if (taught.defined())
      loss = (1 - weight) * loss + weight * loss_.distance(scores.outputs, taught, options_);
    if (losses.empty() && options_.distillation.in_place) taught = scores.outputs.detach();
    losses.push_back(loss.detach().to(at::kDouble));
    correct.push_back(scores.count_correct().to(at::kDouble));
    (loss / static_cast<double>(passes_.size())).backward();
  }
  // Both numbers in one transfer: on a GPU each one waits for all that was asked for before.
  const auto numbers = at::stack({at::stack(losses).mean(), at::stack(correct).sum()}).cpu();
  return {numbers[0].item<double>(), static_cast<int64_t>(numbers[1].item<double>()),
          labels.numel() * static_cast<int64_t>(passes_.size())};
}

}  // namespace inn
