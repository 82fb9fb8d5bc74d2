#pragma once
// Gradients against central differences in float64.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

namespace inn::test {

/// A function of tensors that gives one tensor of any shape.
using TensorFunction = std::function<at::Tensor(const std::vector<at::Tensor>&)>;

// Central differences of step 1e-6 err by about 1e-12 (truncation) + 1e-16/1e-6 (rounding), for functions of
// order 1.
constexpr double finite_difference_step = 1e-6;
constexpr double finite_difference_tolerance = 1e-7;

/// Expects that autograd's gradient of Σ_i r_i f(inputs)_i, in every entry of every input, equals its central
/// difference, within `tolerance` relative to 1 + |gradient|. The r_i are fixed, all different, so no error
/// cancels.
inline void expect_gradients(const TensorFunction& f, const std::vector<at::Tensor>& inputs,
                             double tolerance = finite_difference_tolerance) {
  const auto objective = [&](const std::vector<at::Tensor>& at) {
    const auto value = f(at).to(at::kDouble).flatten();
    return (value * at::cos(at::arange(value.numel(), at::kDouble) * 1.7 + 0.3)).sum();
  };
  std::vector<at::Tensor> leaves;
  for (const auto& input : inputs)
    leaves.push_back(input.detach().to(at::kDouble).clone().set_requires_grad(true));
  const auto value = objective(leaves);
  ASSERT_TRUE(value.requires_grad()) << "no gradient reaches any input";
  value.backward();
  at::NoGradGuard no_grad;
  std::vector<at::Tensor> moved;
  for (const auto& leaf : leaves) moved.push_back(leaf.detach().contiguous().clone());
  for (size_t k = 0; k < leaves.size(); ++k) {
    ASSERT_TRUE(leaves[k].grad().defined()) << "no gradient reaches input " << k;
    const auto gradient = leaves[k].grad().contiguous();
    ASSERT_EQ(gradient.sizes(), moved[k].sizes());
    double* entry = moved[k].mutable_data_ptr<double>();
    for (int64_t i = 0; i < moved[k].numel(); ++i) {
      const double kept = entry[i], step = finite_difference_step;
      entry[i] = kept + step;
      const double above = objective(moved).item<double>();
      entry[i] = kept - step;
      const double below = objective(moved).item<double>();
      entry[i] = kept;
      const double expected = (above - below) / (2 * step), got = gradient.const_data_ptr<double>()[i];
      EXPECT_NEAR(got, expected, tolerance * (1 + std::abs(expected))) << "input " << k << ", entry " << i;
    }
  }
}

}  // namespace inn::test
