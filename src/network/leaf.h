#pragma once
// Tensors of the state in another form.

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

namespace inn {

/// Returns `change(tensor)` as a leaf that requires gradients if the tensor does.
template <class Change>
at::Tensor as_leaf(const at::Tensor& tensor, const Change& change) {
  at::NoGradGuard no_grad;
  return change(tensor.detach()).set_requires_grad(tensor.requires_grad());
}

}  // namespace inn
