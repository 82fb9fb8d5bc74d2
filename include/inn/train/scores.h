#pragma once
// Shared by training and evaluation: placement of inputs, and matching of outputs with labels.

#include <ATen/core/Tensor.h>

#include "inn/data/dataset.h"
#include "inn/network/network.h"

namespace inn {

/// Device and dtype for a network's inputs: those of its first floating-point state tensor, else CPU and
/// float32.
at::TensorOptions input_options(const Network& network);

/// Moves inputs to the device of `place`, and floating-point inputs to its dtype.
at::Tensor to_input_options(const at::Tensor& inputs, const at::TensorOptions& place);

/// Returns one more than the largest label; 0 for regression targets. Throws std::invalid_argument if `data`
/// has no samples or no labels.
int64_t count_classes(const Dataset& data, const char* who);

/// Rows of scores with labels; or regression outputs with targets of the same size.
struct Scores {
  at::Tensor outputs, labels;  // [rows, classes], [rows]

  /// Returns the number of rows whose argmax is the label, as a scalar (0-d) tensor; 0 for a regression.
  at::Tensor count_correct() const;
};

/// Returns outputs [B, C] with labels [B], or outputs [B, T, C] with labels [B, T] as B·T rows; for
/// floating-point targets the outputs, which must have their size (targets [B] also match outputs [B, 1]).
/// Throws std::invalid_argument for other shapes, and if C is below `classes`.
Scores scores_of(const at::Tensor& outputs, const at::Tensor& labels, int64_t classes);

}  // namespace inn
