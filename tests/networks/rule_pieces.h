#pragma once
// What the examples of rules are put together of.

#include <ATen/ATen.h>
#include <torch/nn/module.h>

#include <functional>
#include <string>
#include <vector>

namespace inn::test {

/// Parameters by name, made when first asked for, and the pieces that examples are put together of.
class Pieces : public torch::nn::Module {
 public:
  at::Tensor weight(const std::string& name, at::IntArrayRef sizes) {
    const auto all = named_parameters(false);
    if (const auto* found = all.find(name)) return *found;
    return register_parameter(name, at::randn(sizes) * 0.5);
  }
  at::Tensor complex_weight(const std::string& name, at::IntArrayRef sizes) {
    const auto all = named_parameters(false);
    if (const auto* found = all.find(name)) return *found;
    return register_parameter(name, at::randn(sizes, at::kComplexFloat) * 0.5);
  }
  /// [2, 3, 6, 6] to [2, 8, 6, 6].
  at::Tensor image(const at::Tensor& x) { return at::conv2d(x, weight("image", {8, 3, 1, 1})); }
  /// [2, 3, 6, 6] to [2, 36, 8].
  at::Tensor tokens(const at::Tensor& x) {
    return at::linear(x.flatten(2).transpose(1, 2), weight("tokens", {8, 3}));
  }
  /// Other tokens of the same width, and positive ones.
  at::Tensor more(const at::Tensor& x) {
    return at::linear(x.flatten(2).transpose(1, 2), weight("more", {8, 3}));
  }
  /// [2, 3, 6, 6] to [2, 8].
  at::Tensor features(const at::Tensor& x) { return at::linear(x.mean({2, 3}), weight("features", {8, 3})); }
  /// Sums over the channels of an image, or of the last axis.
  at::Tensor of_image(const at::Tensor& y) {
    return at::conv2d(y, weight("of_image", {5, y.size(1), 1, 1})).mean({2, 3});
  }
  at::Tensor of_last(const at::Tensor& y) {
    const auto out = at::linear(y, weight("of_last", {5, y.size(-1)}));
    return out.dim() > 2 ? out.flatten(1, -2).mean(1) : out;
  }
};

using Example = std::function<at::Tensor(Pieces&, const at::Tensor&)>;

struct NamedExample {
  std::string name;
  Example run;
};

/// Operators that act element by element, and reductions.
std::vector<NamedExample> elementwise_examples();
/// Norms, convolutions, pools, products, attention, recurrent layers.
std::vector<NamedExample> layer_examples();
/// Views, parts, repetitions, lookups, factories.
std::vector<NamedExample> shape_examples();

}  // namespace inn::test
