#include "resampling/refit/gauss_newton.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/forward_grad.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "resampling/refit/channel_norm.h"

namespace inn {
namespace {

// Relative to the mean of the curvature's diagonal.
constexpr double kDamping = 1e-3;
constexpr double kInputDamping = 1e-2;  // of the preconditioner's factors
constexpr double kOutputDamping = 1e-1;
constexpr int64_t kRowsPerFeature = 64;
constexpr int64_t kLeastSamples = 64;
constexpr double kSteps[] = {0.25, 0.5, 1};

/// One matrix for each layer: [g, outputs, features (+ 1 for the bias)]. float64.
using Direction = std::vector<at::Tensor>;

double dot(const Direction& a, const Direction& b) {
  double sum = 0;
  for (size_t k = 0; k < a.size(); ++k) sum += (a[k] * b[k]).sum().item<double>();
  return sum;
}

void add_scaled(Direction& a, double factor, const Direction& b) {
  for (size_t k = 0; k < a.size(); ++k) a[k] = a[k] + factor * b[k];
}

/// Releases the level of forward differentiation when it goes.
class DualLevel {
 public:
  DualLevel() : index_(torch::autograd::ForwardADLevel::get_next_idx()) {}
  ~DualLevel() { torch::autograd::ForwardADLevel::release_idx(index_); }
  DualLevel(const DualLevel&) = delete;
  DualLevel& operator=(const DualLevel&) = delete;
  uint64_t index() const { return index_; }

 private:
  uint64_t index_;
};

/// Two layers and the output that they are to give.
class BlockProblem {
 public:
  BlockProblem(Replay& source, Replay& present, const Block& block, const RefitOptions& options)
      : source_(source),
        present_(present),
        block_(block),
        options_(options),
        tensors_(present.network.tensors()) {
    for (const auto* fit : {&block.first, &block.second}) {
      const auto& linear = fit->linear;
      Layer layer{fit, linear.weight};
      if (linear.bias) {
        layer.bias = linear.bias;
        layer.bias_scale = at::ones_like(present.network.state[*linear.bias].tensor.detach()).to(at::kDouble);
      } else if (fit->norm) {
        const auto& shift = present.network.calls[*fit->norm].arguments[2];
        if (shift.is_value()) layer.bias = present.network.state_of(shift.value());
        layer.bias_scale = channel_norm(present.network, *fit->norm).scale;
      }
      layers_.push_back(layer);
    }
    for (auto& tensor : tensors_) tensor = tensor.detach();
    samples_ = samples_for(block, present.network);
  }

  /// Makes one step, and returns the factor by which the error on the other samples fell.
  double step() {
    prepare();
    const Direction solution = conjugate_gradients();
    std::vector<double> parts{0};
    parts.insert(parts.end(), std::begin(kSteps), std::end(kSteps));
    const std::vector<double> errors = held_out_errors(solution, parts);
    const auto best = static_cast<size_t>(std::min_element(errors.begin(), errors.end()) - errors.begin());
    if (best == 0 || !(errors[best] < errors[0])) return 1;
    take(with(solution, parts[best]));
    return errors[best] / errors[0];
  }

 private:
  struct Layer {
    const Fit* fit;
    size_t weight;
    /// The bias, or the shift of the norm behind; `bias_scale` times a bias of the layer is a change of it.
    std::optional<size_t> bias = {};
    at::Tensor bias_scale = {};
    at::Tensor inputs = {};         // E[x xᵀ] of the features (with a 1), [g, F, F]
    at::Tensor input_factor = {};   // the preconditioner's, its inverse
    at::Tensor output_factor = {};  // [outputs, outputs] or undefined
    double damping = 0;
  };

  /// So many samples that there are rows for the unknowns, where a sample has many positions: fewer.
  int64_t samples_for(const Block& block, const Network& network) const {
    const auto& output = network.values[static_cast<size_t>(block.output)];
    const int64_t axis = block.second.linear.kind == LinearCall::Kind::linear ? output.sizes.size() - 1 : 1;
    int64_t positions = 1;  // of one sample, as in the example
    for (size_t d = 1; d < output.sizes.size(); ++d)
      if (static_cast<int64_t>(d) != axis) positions *= std::max<int64_t>(1, output.sizes[d]);
    int64_t features = 0;
    for (const auto* fit : {&block.first, &block.second})
      features += weight_matrix(network, fit->linear).size(2);
    const int64_t most = options_.gauss_newton_samples;
    return std::clamp(kRowsPerFeature * features / positions, std::min(kLeastSamples, most), most);
  }

  /// The batches of the samples that are looked at.
  int64_t batches() const {
    int64_t samples = 0, count = 0;
    while (count < present_.batches() && samples < samples_) samples += present_.samples(count++);
    return count;
  }

  /// 1 for the samples of a batch that make the step, or for those held out to say how far to go; 0 for the
  /// others. It multiplies a tensor like `output`.
  at::Tensor mask(int64_t batch, const at::Tensor& output, bool held_out) const {
    int64_t first = 0;
    for (int64_t b = 0; b < batch; ++b) first += present_.samples(b);
    const int64_t samples = present_.samples(batch), all = samples_;
    if (output.size(0) % samples != 0) return at::ones({1}, output.options());
    const auto number = at::arange(first, first + samples);
    const auto is_held = number.remainder(options_.held_out_every) == options_.held_out_every - 1;
    const auto chosen = at::logical_and(held_out ? is_held : is_held.logical_not(), number < all);
    std::vector<int64_t> sizes(static_cast<size_t>(output.dim()), 1);
    sizes[0] = output.size(0);
    return chosen.repeat_interleave(output.size(0) / samples).to(output.options()).view(sizes);
  }

  at::Tensor target_of(int64_t batch) {
    const ValueId wanted[] = {block_.output};
    const at::Tensor whole = source_.run(batch, wanted)[0].toTensor();
    const int64_t axis = block_.second.linear.kind == LinearCall::Kind::linear ? -1 : 1;
    return block_.second.outputs.apply(whole, axis);
  }

  /// What is left to the target, and where it counts: 1, or 0 where both are negative before a ReLU.
  std::pair<at::Tensor, at::Tensor> residual(const at::Tensor& target, const at::Tensor& now) const {
    if (!block_.before_relu) return {target - now, at::ones_like(now)};
    const auto counts = at::logical_or(target > 0, now > 0).to(now.scalar_type());
    return {counts * (target.clamp_min(0) - now), counts};
  }

  at::Tensor output(int64_t batch, std::span<const at::Tensor> tensors) {
    const ValueId wanted[] = {block_.output};
    return present_.run(batch, wanted, tensors)[0].toTensor();
  }

  /// Measures the inputs of both layers, and makes the preconditioner; then the gradient.
  void prepare() {
    const at::NoGradGuard no_grad;
    std::vector<int64_t> rows(2, 0);
    for (auto& layer : layers_) layer.inputs = at::Tensor();
    for (int64_t b = 0; b < batches(); ++b) {
      const ValueId wanted[] = {layers_[0].fit->linear.input, layers_[1].fit->linear.input};
      const auto values = present_.run(b, wanted, tensors_);
      for (size_t k = 0; k < 2; ++k) {
        const at::Tensor input = values[k].toTensor();
        const int64_t samples = input.size(0) % present_.samples(b) == 0 ? present_.samples(b) : 1;
        at::Tensor x = features_of(present_.network, layers_[k].fit->linear, input, samples,
                                   {options_.positions, options_.seed})
                           .flatten(1, 2);
        if (layers_[k].bias) x = at::cat({x, at::ones({x.size(0), x.size(1), 1}, x.options())}, 2);
        const at::Tensor product = at::bmm(x.transpose(1, 2), x).to(at::kDouble);
        auto& sum = layers_[k].inputs;
        sum = sum.defined() ? sum + product : product;
        rows[k] += x.size(1);
      }
    }
    for (size_t k = 0; k < 2; ++k) {
      auto& layer = layers_[k];
      layer.inputs = layer.inputs / static_cast<double>(rows[k]);
      const at::Tensor scale = layer.inputs.diagonal(0, 1, 2).mean(1).clamp_min(1e-30);
      at::Tensor shifted = layer.inputs.clone();
      shifted.diagonal(0, 1, 2).add_((kInputDamping * scale).unsqueeze(1));
      layer.input_factor = at::cholesky_inverse(std::get<0>(at::linalg_cholesky_ex(shifted)));
      layer.damping = kDamping * scale.mean().item<double>();
    }
    prepare_outputs();
  }

  /// How strongly the first layer's channels are read by the second: the curvature between them, where the
  /// two stand channel by channel.
  void prepare_outputs() {
    auto& first = layers_[0];
    const at::Tensor reading =
        weight_matrix(present_.network, layers_[1].fit->linear, tensors_[layers_[1].weight]).to(at::kDouble);
    const at::Tensor writing = weight_matrix(present_.network, first.fit->linear, tensors_[first.weight]);
    const int64_t channels = writing.size(1);
    first.output_factor = at::Tensor();
    if (writing.size(0) != 1 || reading.size(0) != 1 || reading.size(2) % channels != 0) return;
    const at::Tensor by_channel = reading[0].reshape({reading.size(1), channels, -1});
    at::Tensor gram = at::einsum("oct,odt->cd", {by_channel, by_channel});
    if (first.fit->norm) {
      const at::Tensor scale = channel_norm(present_.network, *first.fit->norm).scale;
      gram = gram * at::outer(scale, scale);
    }
    const double mean = gram.diagonal().mean().item<double>();
    if (!(mean > 0)) return;
    // The activation between them hides about half of the curvature off the diagonal; so does its damping.
    gram.diagonal().add_(kOutputDamping * mean);
    first.output_factor = at::cholesky_inverse(std::get<0>(at::linalg_cholesky_ex(gram)));
    first.damping *= mean;
  }

  /// The tensors of the state with each layer's matrix in its place.
  std::vector<at::Tensor> with(const Direction& direction, double factor) const {
    std::vector<at::Tensor> result = tensors_;
    for (size_t k = 0; k < layers_.size(); ++k) {
      const auto [weight, bias] = state_of(k, direction[k]);
      result[layers_[k].weight] = tensors_[layers_[k].weight] + factor * weight;
      if (bias.defined()) result[*layers_[k].bias] = tensors_[*layers_[k].bias] + factor * bias;
    }
    return result;
  }

  /// The change of a layer's weight and bias that a matrix stands for.
  std::pair<at::Tensor, at::Tensor> state_of(size_t k, const at::Tensor& matrix) const {
    const auto& layer = layers_[k];
    const auto like = tensors_[layer.weight].options();
    const int64_t features = matrix.size(2) - (layer.bias ? 1 : 0);
    const at::Tensor weight =
        weight_of_matrix(present_.network, layer.fit->linear, matrix.narrow(2, 0, features)).to(like);
    if (!layer.bias) return {weight, {}};
    return {weight, (layer.bias_scale * matrix.select(2, features).flatten()).to(like)};
  }

  at::Tensor matrix_of(size_t k, const at::Tensor& weight, const at::Tensor& bias) const {
    const auto& layer = layers_[k];
    const at::Tensor matrix = weight_matrix(present_.network, layer.fit->linear, weight).to(at::kDouble);
    if (!layer.bias) return matrix;
    const at::Tensor column =
        (layer.bias_scale * bias.to(at::kDouble)).reshape({matrix.size(0), matrix.size(1), 1});
    return at::cat({matrix, column}, 2);
  }

  /// Jᵀ·(what `make` gives for the output) on one batch.
  template <class Make>
  Direction pull_back(int64_t batch, const Make& make) {
    const at::AutoGradMode gradients(true);
    std::vector<at::Tensor> tensors = tensors_, leaves;
    for (const auto& layer : layers_) {
      tensors[layer.weight] = tensors_[layer.weight].clone().requires_grad_(true);
      leaves.push_back(tensors[layer.weight]);
      if (layer.bias) {
        tensors[*layer.bias] = tensors_[*layer.bias].clone().requires_grad_(true);
        leaves.push_back(tensors[*layer.bias]);
      }
    }
    const at::Tensor now = output(batch, tensors);
    const at::Tensor vector = make(now.detach());
    const auto pulled = torch::autograd::grad({now}, leaves, {vector});
    Direction result;
    size_t next = 0;
    for (size_t k = 0; k < layers_.size(); ++k) {
      const at::Tensor& weight = pulled[next++];
      result.push_back(matrix_of(k, weight, layers_[k].bias ? pulled[next++] : at::Tensor()));
    }
    return result;
  }

  /// J·direction on one batch.
  at::Tensor push_forward(int64_t batch, const Direction& direction) {
    const at::NoGradGuard no_grad;
    const DualLevel level;
    std::vector<at::Tensor> tensors = tensors_;
    for (size_t k = 0; k < layers_.size(); ++k) {
      const auto [weight, bias] = state_of(k, direction[k]);
      tensors[layers_[k].weight] = at::_make_dual(tensors_[layers_[k].weight], weight, level.index());
      if (bias.defined())
        tensors[*layers_[k].bias] = at::_make_dual(tensors_[*layers_[k].bias], bias, level.index());
    }
    return std::get<1>(at::_unpack_dual(output(batch, tensors), level.index()));
  }

  Direction zero() const {
    Direction result;
    for (const auto& layer : layers_) {
      const at::Tensor weight = weight_matrix(present_.network, layer.fit->linear, tensors_[layer.weight]);
      result.push_back(
          at::zeros({weight.size(0), weight.size(1), weight.size(2) + (layer.bias ? 1 : 0)}, at::kDouble));
    }
    return result;
  }

  double scale() const { return 1 / static_cast<double>(std::max<int64_t>(1, rows_)); }

  /// Jᵀ·(target − output), of the mean over rows; also finds where the output counts.
  Direction gradient() {
    Direction sum = zero();
    rows_ = 0;
    counts_.clear();
    for (int64_t b = 0; b < batches(); ++b) {
      counts_.emplace_back();
      const at::Tensor target = target_of(b);
      add_scaled(sum, 1, pull_back(b, [&](const at::Tensor& now) {
                   const auto [left, counts] = residual(target, now);
                   counts_.back() = counts * mask(b, now, false);
                   const int64_t axis = block_.second.linear.kind == LinearCall::Kind::linear ? -1 : 1;
                   rows_ += now.numel() / now.size(axis);
                   return left * mask(b, now, false);
                 }));
    }
    for (auto& part : sum) part = part * scale();
    return sum;
  }

  /// (JᵀJ/rows + damping)·direction.
  Direction curvature(const Direction& direction) {
    Direction sum = zero();
    for (int64_t b = 0; b < batches(); ++b) {
      const at::Tensor pushed = push_forward(b, direction) * counts_[static_cast<size_t>(b)];
      add_scaled(sum, scale(), pull_back(b, [&](const at::Tensor&) { return pushed; }));
    }
    for (size_t k = 0; k < sum.size(); ++k) sum[k] = sum[k] + layers_[k].damping * direction[k];
    return sum;
  }

  Direction preconditioned(const Direction& direction) const {
    Direction result;
    for (size_t k = 0; k < layers_.size(); ++k) {
      at::Tensor part = at::bmm(direction[k], layers_[k].input_factor);
      if (layers_[k].output_factor.defined()) part = at::matmul(layers_[k].output_factor, part);
      result.push_back(part);
    }
    return result;
  }

  Direction conjugate_gradients() {
    Direction solution = zero(), left = gradient();
    Direction search = preconditioned(left);
    double product = dot(left, search);
    for (int64_t k = 0; k < options_.gauss_newton_iterations && product > 0; ++k) {
      const Direction curved = curvature(search);
      const double along = dot(search, curved);
      if (!(along > 0)) break;
      const double length = product / along;
      add_scaled(solution, length, search);
      add_scaled(left, -length, curved);
      const Direction next = preconditioned(left);
      const double now = dot(left, next), ratio = now / product;
      product = now;
      Direction turned = next;
      add_scaled(turned, ratio, search);
      search = std::move(turned);
    }
    return solution;
  }

  /// The errors on the samples held out where each of `parts` of the solution is taken.
  std::vector<double> held_out_errors(const Direction& solution, const std::vector<double>& parts) {
    const at::NoGradGuard no_grad;
    std::vector<double> errors(parts.size(), 0);
    std::vector<std::vector<at::Tensor>> states;
    for (const double part : parts) states.push_back(with(solution, part));
    for (int64_t b = 0; b < batches(); ++b) {
      const at::Tensor target = target_of(b);
      for (size_t k = 0; k < parts.size(); ++k) {
        const at::Tensor now = output(b, states[k]);
        const at::Tensor left = residual(target, now).first * mask(b, now, true);
        errors[k] += left.square().sum().item<double>();
      }
    }
    for (auto& error : errors)
      if (!std::isfinite(error)) error = std::numeric_limits<double>::infinity();
    return errors;
  }

  void take(const std::vector<at::Tensor>& tensors) {
    for (const auto& layer : layers_)
      for (const auto state : {std::optional(layer.weight), layer.bias})
        if (state) {
          tensors_[*state] = tensors[*state];
          auto& held = present_.network.state[*state].tensor;
          held = tensors[*state].detach().clone().requires_grad_(held.requires_grad());
        }
  }

  Replay& source_;
  Replay& present_;
  const Block& block_;
  const RefitOptions& options_;
  std::vector<at::Tensor> tensors_;
  std::vector<Layer> layers_;
  std::vector<at::Tensor> counts_;  // by batch
  int64_t rows_ = 0, samples_ = 0;
};

}  // namespace

double gauss_newton(Replay& source, Replay& present, const Block& block, const RefitOptions& options) {
  double factor = 1;
  for (int64_t s = 0; s < options.gauss_newton_steps; ++s) {
    const double now = BlockProblem(source, present, block, options).step();
    factor *= now;
    if (now == 1) break;
  }
  return factor;
}

}  // namespace inn
