#pragma once
// What training and evaluation share: where a model's tensors live, and that its outputs fit the labels.

#include <ATen/core/Tensor.h>

#include "inn/data/dataset.h"
#include "inn/network/network.h"

namespace inn {

/// Device and dtype of a network's images: those of its first floating state tensor, else the CPU and
/// float32.
at::TensorOptions image_options(const Network& network);

/// Returns one more than the largest label. Throws std::invalid_argument where `data` has no images or no
/// labels.
int64_t count_classes(const Dataset& data, const char* who);

/// Throws std::invalid_argument unless outputs are [batch, at least `classes`].
void check_outputs(const at::Tensor& outputs, int64_t batch, int64_t classes);

/// Returns how many rows of outputs have their largest number at the label, as a tensor of no axis.
at::Tensor count_correct(const at::Tensor& outputs, const at::Tensor& labels);

}  // namespace inn
