#include "layer_curvature.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "inn/core/ranks.h"
#include "inn/network/channel_norm.h"

namespace inn {
namespace {

constexpr double kInputDamping = 1e-2;  // of the factors, relative to the mean of their diagonals
constexpr double kOutputDamping = 5e-2;
constexpr int64_t kMostFeatures = 1280;  // or outputs, whose whole second moment is used
/// Positions of a sample from which the factors are measured.
constexpr PositionSample kPositions{.most = 64, .seed = 0};

/// (sum/count + damping·its mean diagonal)⁻¹ of [g, n, n], or of diagonals [g, n]; with that mean.
std::pair<at::Tensor, double> damped_inverse(const at::Tensor& sum, double count, double damping) {
  const at::Tensor mean_of = sum / std::max(count, 1.0);
  const bool is_diagonal = mean_of.dim() == 2;
  const at::Tensor diagonal = is_diagonal ? mean_of : mean_of.diagonal(0, 1, 2);
  const at::Tensor scale = diagonal.mean(1, true).clamp_min(1e-30);
  if (is_diagonal) return {(mean_of + damping * scale).reciprocal(), scale.mean().item<double>()};
  at::Tensor shifted = mean_of.clone();
  shifted.diagonal(0, 1, 2).add_(damping * scale);
  return {at::cholesky_inverse(std::get<0>(at::linalg_cholesky_ex(shifted))), scale.mean().item<double>()};
}

/// Of rows [g, rows, n] their second moment, [g, n, n], or its diagonal [g, n] where there are many.
at::Tensor moment_of(const at::Tensor& rows) {
  return rows.size(2) > kMostFeatures ? rows.square().sum(1) : at::bmm(rows.transpose(1, 2), rows);
}

/// Zeros like `moment_of` of rows of n numbers.
at::Tensor no_moment(int64_t groups, int64_t n, const at::TensorOptions& options) {
  return n > kMostFeatures ? at::zeros({groups, n}, options) : at::zeros({groups, n, n}, options);
}

}  // namespace

LayerCurvatures::LayerCurvatures(const Network& network, const JointFit& joint) : network_(network) {
  for (const auto& fit : joint.layers) {
    const auto& linear = fit.linear;
    Layer layer{.linear = linear};
    if (linear.bias) {
      layer.bias = linear.bias;
      layer.bias_scale = at::ones_like(network.state[*linear.bias].tensor.detach()).to(at::kDouble);
    } else if (fit.norm) {
      layer.bias = fit.norm->shift;
      layer.bias_scale = channel_norm(network, fit.norm->call).scale;
    }
    layers_.push_back(std::move(layer));
  }
}

std::vector<ValueId> LayerCurvatures::inputs() const {
  std::vector<ValueId> result;
  for (const auto& layer : layers_) result.push_back(layer.linear.input);
  return result;
}

std::vector<ValueId> LayerCurvatures::outputs() const {
  std::vector<ValueId> result;
  for (const auto& layer : layers_) result.push_back(layer.linear.output);
  return result;
}

std::vector<size_t> LayerCurvatures::states() const {
  std::vector<size_t> result;
  for (const auto& layer : layers_) {
    result.push_back(layer.linear.weight);
    if (layer.bias) result.push_back(*layer.bias);
  }
  return result;
}

Direction LayerCurvatures::zero() const {
  Direction result;
  for (const auto& layer : layers_) {
    const at::Tensor weight = weight_matrix(network_, layer.linear);
    result.push_back(at::zeros({weight.size(0), weight.size(1), weight.size(2) + (layer.bias ? 1 : 0)},
                               weight.options().dtype(at::kDouble).requires_grad(false)));
  }
  return result;
}

at::Tensor LayerCurvatures::matrix_of(const Layer& layer, const at::Tensor& weight,
                                      const at::Tensor& bias) const {
  const at::Tensor matrix = weight_matrix(network_, layer.linear, weight).to(at::kDouble);
  if (!layer.bias) return matrix;
  const at::Tensor column =
      (layer.bias_scale * bias.to(at::kDouble)).reshape({matrix.size(0), matrix.size(1), 1});
  return at::cat({matrix, column}, 2);
}

std::pair<at::Tensor, at::Tensor> LayerCurvatures::state_of(const Layer& layer, const at::Tensor& matrix,
                                                            const at::TensorOptions& options) const {
  const int64_t features = matrix.size(2) - (layer.bias ? 1 : 0);
  const at::Tensor weight =
      weight_of_matrix(network_, layer.linear, matrix.narrow(2, 0, features)).to(options);
  if (!layer.bias) return {weight, {}};
  return {weight, (layer.bias_scale * matrix.select(2, features).flatten()).to(options)};
}

std::vector<at::Tensor> LayerCurvatures::with_leaves(std::span<const at::Tensor> state) const {
  std::vector<at::Tensor> result(state.begin(), state.end());
  for (const auto s : states()) result[s] = result[s].detach().clone().requires_grad_(true);
  return result;
}

std::vector<at::Tensor> LayerCurvatures::leaves_of(std::span<const at::Tensor> state) const {
  std::vector<at::Tensor> result;
  for (const auto s : states()) result.push_back(state[s]);
  return result;
}

Direction LayerCurvatures::direction_of(std::span<const at::Tensor> gradients) const {
  Direction result = zero();
  size_t next = 0;
  for (size_t k = 0; k < layers_.size(); ++k) {
    const auto& layer = layers_[k];
    const auto whole = [&](const at::Tensor& gradient, size_t state) {
      return gradient.defined() ? gradient : at::zeros_like(network_.state[state].tensor);
    };
    const at::Tensor weight = whole(gradients[next++], layer.linear.weight);
    const at::Tensor bias = layer.bias ? whole(gradients[next++], *layer.bias) : at::Tensor();
    result[k] = matrix_of(layer, weight, bias);
  }
  return result;
}

template <class Change>
std::vector<at::Tensor> LayerCurvatures::changed(std::span<const at::Tensor> state,
                                                 const Direction& direction, const Change& change) const {
  std::vector<at::Tensor> result(state.begin(), state.end());
  for (size_t k = 0; k < layers_.size(); ++k) {
    const auto& layer = layers_[k];
    const auto& before = state[layer.linear.weight];
    const auto [weight, bias] = state_of(layer, direction[k], before.options().requires_grad(false));
    result[layer.linear.weight] = change(before, weight);
    if (bias.defined()) result[*layer.bias] = change(state[*layer.bias], bias);
  }
  return result;
}

std::vector<at::Tensor> LayerCurvatures::dual(std::span<const at::Tensor> state, const Direction& direction,
                                              uint64_t level) const {
  return changed(state, direction, [level](const at::Tensor& tensor, const at::Tensor& tangent) {
    return at::_make_dual(tensor, tangent, level);
  });
}

std::vector<at::Tensor> LayerCurvatures::moved(std::span<const at::Tensor> state, const Direction& direction,
                                               double factor) const {
  return changed(state, direction, [factor](const at::Tensor& tensor, const at::Tensor& step) {
    return tensor + factor * step;
  });
}

void LayerCurvatures::forget() {
  for (auto& layer : layers_) {
    layer.inputs = layer.outputs = at::Tensor();
    layer.rows = layer.samples = 0;
  }
}

void LayerCurvatures::add(size_t index, const at::Tensor& input, const at::Tensor& back, int64_t samples) {
  auto& layer = layers_[index];
  const int64_t divided = input.size(0) % samples == 0 ? samples : 1;
  at::Tensor x = features_of(network_, layer.linear, input, divided, kPositions).flatten(1, 2);
  if (layer.bias) x = at::cat({x, at::ones({x.size(0), x.size(1), 1}, x.options())}, 2);
  const auto sum = [](at::Tensor& all, const at::Tensor& part) {
    all = all.defined() ? all + part.to(at::kDouble) : part.to(at::kDouble);
  };
  sum(layer.inputs, moment_of(x));
  layer.rows += x.size(1);
  layer.samples += samples;
  if (!back.defined()) return;
  const PositionSample all{.most = std::numeric_limits<int64_t>::max(), .seed = 0};
  const at::Tensor g = targets_of(network_, layer.linear, back, divided, all).flatten(1, 2);
  sum(layer.outputs, moment_of(g));
}

void LayerCurvatures::sum_over_ranks() {
  if (ranks().count == 1) return;
  const Direction sizes = zero();
  for (size_t k = 0; k < layers_.size(); ++k) {
    auto& layer = layers_[k];
    const int64_t groups = sizes[k].size(0), outputs = sizes[k].size(1), features = sizes[k].size(2);
    // A rank whose samples are not looked at has no sums.
    if (!layer.inputs.defined()) layer.inputs = no_moment(groups, features, sizes[k].options());
    int64_t have = layer.outputs.defined();
    inn::sum_over_ranks(have);
    if (have > 0 && !layer.outputs.defined()) layer.outputs = no_moment(groups, outputs, sizes[k].options());
    inn::sum_over_ranks(layer.inputs);
    if (have > 0) inn::sum_over_ranks(layer.outputs);
    inn::sum_over_ranks(layer.rows);
    inn::sum_over_ranks(layer.samples);
  }
}

void LayerCurvatures::finish(double damping) {
  for (auto& layer : layers_) {
    const auto [input, input_scale] =
        damped_inverse(layer.inputs, static_cast<double>(layer.rows), kInputDamping);
    layer.input_inverse = input;
    layer.damping = damping * input_scale;
    layer.output_inverse = at::Tensor();
    if (!layer.outputs.defined()) continue;
    const auto [output, output_scale] =
        damped_inverse(layer.outputs, static_cast<double>(layer.samples), kOutputDamping);
    layer.output_inverse = output;
    layer.damping *= output_scale;
  }
}

Direction LayerCurvatures::preconditioned(const Direction& direction) const {
  Direction result;
  for (size_t k = 0; k < layers_.size(); ++k) {
    const auto& layer = layers_[k];
    at::Tensor part = layer.input_inverse.dim() == 2 ? direction[k] * layer.input_inverse.unsqueeze(1)
                                                     : at::bmm(direction[k], layer.input_inverse);
    if (layer.output_inverse.defined())
      part = layer.output_inverse.dim() == 2 ? layer.output_inverse.unsqueeze(2) * part
                                             : at::bmm(layer.output_inverse, part);
    result.push_back(std::move(part));
  }
  return result;
}

Direction LayerCurvatures::damped(const Direction& direction) const {
  Direction result;
  for (size_t k = 0; k < layers_.size(); ++k) result.push_back(layers_[k].damping * direction[k]);
  return result;
}

}  // namespace inn
