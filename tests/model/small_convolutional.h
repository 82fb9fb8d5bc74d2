#pragma once
// A network with two groups, and what goes in.

#include <ATen/ATen.h>

#include "inn/resampling/verify.h"
#include "network_builder.h"

namespace inn {

inline constexpr double kRounding = 1e-10;  // float64, sums of some tens of terms

/// conv(3→8) → batch norm → relu → conv(8→6) → relu → flatten → linear(6·9→5).
inline Network small_convolutional() {
  test::NetworkBuilder b(1);
  auto x = b.input("x", {2, 3, 3, 3});
  x = b.call("aten::conv2d", "",
             {x, b.parameter("conv1.weight", {8, 3, 3, 3}), {}, {1, 1}, {1, 1}, {1, 1}, 1});
  x = b.batch_norm("bn1", x, 8);
  x = b.call("aten::relu", "", {x});
  x = b.call("aten::conv2d", "",
             {x,
              b.parameter("conv2.weight", {6, 8, 3, 3}),
              b.parameter("conv2.bias", {6}),
              {1, 1},
              {1, 1},
              {1, 1},
              1});
  x = b.call("aten::relu", "", {x});
  x = b.call("aten::flatten", "using_ints", {x, 1});
  x = b.call("aten::linear", "", {x, b.parameter("fc.weight", {5, 54}), b.parameter("fc.bias", {5})});
  Network network = b.finish(x);
  for (auto& entry : network.state)
    if (entry.kind == StateEntry::Kind::parameter) entry.tensor.requires_grad_();
  return network;
}

inline at::Tensor input() { return random_inputs(small_convolutional(), 3).at(0).toTensor(); }

inline double difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

}  // namespace inn
