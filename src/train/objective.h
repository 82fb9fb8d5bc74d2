#pragma once
// The objective of a training step.

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "inn/data/batches.h"
#include "inn/model/integral_model.h"
#include "inn/train/recipe.h"
#include "inn/train/scores.h"
#include "inn/train/train.h"

namespace inn {

/// The mean loss over the passes of a step, each a forward pass at its own widths, optionally with a teacher.
class Objective {
 public:
  /// Throws std::invalid_argument if the width rule or the distillation does not fit the model.
  Objective(NetworkModuleImpl& model, const TrainOptions& options, int64_t classes);

  struct Value {
    double loss;             // the mean over the passes
    int64_t correct, count;  // of the labels of all passes
  };
  /// Adds its gradients to those of the parameters.
  Value backward(const Batch& batch);

 private:
  Scores forward(const at::Tensor& inputs, const at::Tensor& labels) const;
  at::Tensor teacher_outputs(const at::Tensor& inputs, const at::Tensor& labels) const;

  NetworkModuleImpl& model_;
  IntegralModelImpl* integral_;  // the same model, where it is one
  const TrainOptions& options_;
  int64_t classes_;
  at::TensorOptions place_;
  const LossEntry& loss_;
  std::vector<PassWidth> passes_;
  std::optional<Network> teacher_;
};

}  // namespace inn
