#pragma once
// What training and evaluation share: where a model's tensors live, and that its outputs fit the labels.

#include <ATen/core/Tensor.h>

#include "inn/data/dataset.h"
#include "inn/network/network.h"

namespace inn {

/// Device and dtype of a network's inputs: those of its first floating state tensor, else the CPU and
/// float32.
at::TensorOptions input_options(const Network& network);

/// Returns inputs where `place` says, in its dtype where they are floating point: tokens stay integers.
at::Tensor to_input_options(const at::Tensor& inputs, const at::TensorOptions& place);

/// Returns one more than the largest label; 0 for targets of a regression. Throws std::invalid_argument where
/// `data` has no samples or no labels.
int64_t count_classes(const Dataset& data, const char* who);

/// Rows of scores, each with its label; or the outputs of a regression with their targets, of one size.
struct Scores {
  at::Tensor outputs, labels;  // [rows, classes], [rows]

  /// Returns how many rows have their largest number at the label, as a tensor of no axis; 0 of a regression.
  at::Tensor count_correct() const;
};

/// Returns the outputs [B, C] of labels [B], or those [B, T, C] of labels [B, T] as B·T rows; of floating
/// targets the outputs, which must be of their size (targets [B] fit outputs [B, 1] too). Throws
/// std::invalid_argument for other shapes, and where C is below `classes`.
Scores scores_of(const at::Tensor& outputs, const at::Tensor& labels, int64_t classes);

}  // namespace inn
