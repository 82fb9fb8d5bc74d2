#include "gauss_newton.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/forward_grad.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "inn/calibration/hold_out.h"
#include "inn/calibration/variation.h"
#include "inn/core/ranks.h"
#include "layer_curvature.h"
#include "plain_attention.h"

namespace inn {
namespace {

constexpr double kSteps[] = {0.25, 0.5, 1};

void add_scaled(Direction& a, double factor, const Direction& b) {
  for (size_t k = 0; k < a.size(); ++k) a[k] = a[k] + factor * b[k];
}

double dot(const Direction& a, const Direction& b) {
  double sum = 0;
  for (size_t k = 0; k < a.size(); ++k) sum += (a[k] * b[k]).sum().item<double>();
  return sum;
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

/// Normal noise of the value's form, drawn sample by sample, so that it does not depend on how these are put
/// into batches.
at::Tensor noise_like(const at::Tensor& value, int64_t samples, at::Generator& generator) {
  at::Tensor noise = at::empty_like(value, at::MemoryFormat::Contiguous);
  const int64_t parts = value.dim() > 0 && value.size(0) % samples == 0 ? samples : 1;
  for (auto part : noise.view({parts, -1}).unbind()) part.copy_(at::randn(part.sizes(), generator));
  return noise;
}

/// Draws what `noise_like` draws for `skipped` samples of the value's form: those of the ranks before.
void skip_noise(const at::Tensor& value, int64_t samples, int64_t skipped, at::Generator& generator) {
  if (value.dim() == 0 || value.size(0) % samples != 0) return;
  for (int64_t k = 0; k < skipped; ++k) at::randn({value.numel() / samples}, generator);
}

/// Some layers and the values that they are to give.
class JointProblem {
 public:
  JointProblem(ActivationCache& source, ActivationCache& present, const JointFit& joint,
               const GaussNewtonOptions& options)
      : source_(source),
        present_(present),
        joint_(joint),
        options_(options),
        layers_(present.network, joint),
        tensors_(present.network.tensors()) {
    for (auto& tensor : tensors_) tensor = tensor.detach();
    for (const auto& target : joint.targets) wanted_.push_back(target.value);
  }

  /// Makes one step, and returns the factor by which the error on the samples held out fell.
  double step() {
    if (weights_.empty()) measure_variations();
    measure_layers();
    const Direction solution = conjugate_gradients();
    std::vector<double> parts{0};
    parts.insert(parts.end(), std::begin(kSteps), std::end(kSteps));
    const std::vector<double> errors = held_out_errors(solution, parts);
    const auto best = static_cast<size_t>(std::min_element(errors.begin(), errors.end()) - errors.begin());
    if (best == 0 || !(errors[best] < errors[0])) return 1;
    take(layers_.moved(tensors_, solution, parts[best]));
    return errors[best] / errors[0];
  }

 private:
  using Tensors = std::vector<at::Tensor>;  // one for each target, unless said otherwise

  /// The batches of the samples that are looked at.
  int64_t batches() const {
    int64_t samples = present_.samples_of_ranks_before(), count = 0;
    while (count < present_.batches() && samples < options_.samples) samples += present_.samples(count++);
    return count;
  }

  /// The samples in the batches before, those of other ranks too.
  int64_t samples_before(int64_t batch) const {
    int64_t before = present_.samples_of_ranks_before();
    for (int64_t b = 0; b < batch; ++b) before += present_.samples(b);
    return before;
  }

  /// How many samples of a batch are looked at, and those of a tensor that has its samples on axis 0.
  int64_t samples_of(int64_t batch) const {
    return std::min(present_.samples(batch), options_.samples - samples_before(batch));
  }

  at::Tensor looked_at(int64_t batch, const at::Tensor& value) const {
    const int64_t samples = present_.samples(batch);
    if (value.dim() == 0 || value.size(0) % samples != 0) return value;
    return value.narrow(0, 0, value.size(0) / samples * samples_of(batch));
  }

  /// 1 for the samples of a batch that make the step, or for those held out to say how far to go; 0 for the
  /// others. It multiplies a tensor like `value`.
  at::Tensor mask(int64_t batch, const at::Tensor& value, bool held_out) const {
    const int64_t first = samples_before(batch), samples = present_.samples(batch);
    if (value.dim() == 0 || value.size(0) % samples != 0) return at::ones({1}, value.options());
    const at::Tensor is_held =
        HeldOut(options_.held_out_every, std::min(present_.samples(), options_.samples)).of(first, samples);
    const auto chosen = at::logical_and(held_out ? is_held : is_held.logical_not(),
                                        at::arange(first, first + samples) < options_.samples);
    std::vector<int64_t> sizes(static_cast<size_t>(value.dim()), 1);
    sizes[0] = value.size(0);
    return chosen.repeat_interleave(value.size(0) / samples).to(value.options()).view(sizes);
  }

  Tensors targets_of(int64_t batch) {
    const auto index = static_cast<size_t>(batch);
    if (index < targets_.size() && !targets_[index].empty()) return targets_[index];
    Tensors result = measured_targets(batch);
    for (const auto& tensor : result) held_bytes_ += static_cast<int64_t>(tensor.nbytes());
    if (held_bytes_ <= options_.memory) {
      targets_.resize(std::max(targets_.size(), index + 1));
      targets_[index] = result;
    }
    return result;
  }

  Tensors measured_targets(int64_t batch) {
    const auto whole = source_.run(batch, wanted_);
    Tensors result;
    for (size_t t = 0; t < whole.size(); ++t) result.push_back(joint_.targets[t].wanted(whole[t].toTensor()));
    return result;
  }

  Tensors values(int64_t batch, std::span<const at::Tensor> tensors) {
    Tensors result;
    for (const auto& value : present_.run(batch, wanted_, tensors)) result.push_back(value.toTensor());
    return result;
  }

  /// What is left to the target, behind the ReLU if there is one, and where a change of the value is seen:
  /// everywhere, or not where the ReLU hides it.
  std::pair<at::Tensor, at::Tensor> left_of(size_t t, const at::Tensor& target, const at::Tensor& now) const {
    const auto& how = joint_.targets[t];
    return {how.seen(target) - how.seen(now), how.before_relu ? now > 0 : at::Tensor()};
  }

  /// What the squared error of each target is divided by: its variation, a sample.
  void measure_variations() {
    const at::NoGradGuard no_grad;
    std::vector<Variation> variations(wanted_.size());
    samples_ = 0;
    for (int64_t b = 0; b < batches(); ++b) {
      const Tensors targets = targets_of(b);
      for (size_t t = 0; t < targets.size(); ++t)
        variations[t].add(joint_.targets[t].seen(looked_at(b, targets[t])));
      samples_ += static_cast<double>(samples_of(b));
    }
    sum_over_ranks(samples_);
    weights_.clear();
    for (size_t t = 0; t < wanted_.size(); ++t) {
      variations[t].sum_over_ranks();
      const double variation = variations[t].sum();
      weights_.push_back(variation > 0 ? joint_.targets[t].weight * samples_ / variation : 0);
    }
  }

  /// Measures what goes into each layer, and how strongly the targets depend on what comes out of it: the
  /// second moment of what a random residual gives there.
  void measure_layers() {
    const auto inputs = layers_.inputs(), outputs = layers_.outputs();
    std::vector<ValueId> asked(inputs);
    asked.insert(asked.end(), outputs.begin(), outputs.end());
    asked.insert(asked.end(), wanted_.begin(), wanted_.end());
    std::vector<at::Generator> noise;
    for (size_t t = 0; t < wanted_.size(); ++t)
      noise.push_back(at::make_generator<at::CPUGeneratorImpl>(options_.seed + t));
    layers_.forget();
    for (int64_t b = 0; b < batches(); ++b) {
      const at::AutoGradMode gradients(true);
      const auto run = present_.run(b, asked, layers_.with_leaves(tensors_));
      Tensors made, found, vectors;  // made, found: by layer
      for (size_t k = 0; k < outputs.size(); ++k) made.push_back(run[inputs.size() + k].toTensor());
      Tensors reached;
      for (size_t t = 0; t < wanted_.size(); ++t) {
        const at::Tensor now = run[2 * outputs.size() + t].toTensor();
        if (!now.requires_grad()) continue;
        reached.push_back(now);
        if (b == 0) skip_noise(now, present_.samples(b), present_.samples_of_ranks_before(), noise[t]);
        vectors.push_back(std::sqrt(weights_[t]) * noise_like(now.detach(), present_.samples(b), noise[t]));
      }
      if (!reached.empty())
        found = torch::autograd::grad(reached, made, vectors, std::nullopt, false, /*allow_unused=*/true);
      const at::NoGradGuard no_grad;
      for (size_t k = 0; k < outputs.size(); ++k)
        layers_.add(k, looked_at(b, run[k].toTensor().detach()),
                    found.empty() || !found[k].defined() ? at::Tensor() : looked_at(b, found[k]),
                    samples_of(b));
    }
    layers_.sum_over_ranks();
    layers_.finish(options_.damping);
  }

  /// Jᵀ·(what `make` gives for the values) on one batch.
  template <class Make>
  Direction pull_back(int64_t batch, const Make& make) {
    const at::AutoGradMode gradients(true);
    const auto tensors = layers_.with_leaves(tensors_);
    const Tensors now = values(batch, tensors);
    Tensors detached, reached, vectors;
    for (const auto& value : now) detached.push_back(value.detach());
    const Tensors made = make(detached);
    for (size_t t = 0; t < now.size(); ++t)
      if (now[t].requires_grad() && made[t].defined()) {
        reached.push_back(now[t]);
        vectors.push_back(weights_[t] * made[t]);
      }
    if (reached.empty()) return layers_.zero();
    return layers_.direction_of(torch::autograd::grad(reached, layers_.leaves_of(tensors), vectors,
                                                      std::nullopt, false, /*allow_unused=*/true));
  }

  /// J·direction on one batch.
  Tensors push_forward(int64_t batch, const Direction& direction) {
    const at::NoGradGuard no_grad;
    const DualLevel level;
    Tensors result;
    for (const auto& value : values(batch, layers_.dual(tensors_, direction, level.index())))
      result.push_back(std::get<1>(at::_unpack_dual(value, level.index())));
    return result;
  }

  /// Jᵀ·(target − value), a sample; also finds where the values are seen.
  Direction gradient() {
    Direction sum = layers_.zero();
    seen_.clear();
    for (int64_t b = 0; b < batches(); ++b) {
      auto& seen = seen_.emplace_back();
      const Tensors targets = targets_of(b);
      add_scaled(sum, 1 / samples_, pull_back(b, [&](const Tensors& now) {
                   Tensors left(now.size());
                   for (size_t t = 0; t < now.size(); ++t) {
                     const at::Tensor chosen = mask(b, now[t], false);
                     auto [difference, where] = left_of(t, targets[t], now[t]);
                     left[t] = difference * chosen;
                     seen.push_back(std::move(where));
                   }
                   return left;
                 }));
    }
    for (auto& part : sum) sum_over_ranks(part);
    return sum;
  }

  /// (JᵀJ + damping)·direction, a sample.
  Direction curvature(const Direction& direction) {
    Direction sum = layers_.zero();
    for (int64_t b = 0; b < batches(); ++b) {
      Tensors pushed = push_forward(b, direction);
      for (size_t t = 0; t < pushed.size(); ++t) {
        if (!pushed[t].defined()) continue;
        pushed[t] = pushed[t] * mask(b, pushed[t], false);
        if (const auto& where = seen_[static_cast<size_t>(b)][t]; where.defined())
          pushed[t] = pushed[t] * where;
      }
      add_scaled(sum, 1 / samples_, pull_back(b, [&](const Tensors&) { return pushed; }));
    }
    for (auto& part : sum) sum_over_ranks(part);
    add_scaled(sum, 1, layers_.damped(direction));
    return sum;
  }

  Direction conjugate_gradients() {
    Direction solution = layers_.zero(), left = gradient();
    Direction search = layers_.preconditioned(left);
    double product = dot(left, search);
    for (int64_t k = 0; k < options_.iterations && product > 0; ++k) {
      const Direction curved = curvature(search);
      const double along = dot(search, curved);
      if (!(along > 0)) break;
      const double length = product / along;
      add_scaled(solution, length, search);
      add_scaled(left, -length, curved);
      Direction next = layers_.preconditioned(left);
      const double now = dot(left, next), ratio = now / product;
      product = now;
      add_scaled(next, ratio, search);
      search = std::move(next);
      if (options_.progress) options_.progress(k + 1, options_.iterations, "");
    }
    return solution;
  }

  /// The errors on the samples held out where each of `parts` of the solution is taken.
  std::vector<double> held_out_errors(const Direction& solution, const std::vector<double>& parts) {
    const at::NoGradGuard no_grad;
    std::vector<double> errors(parts.size(), 0);
    std::vector<std::vector<at::Tensor>> states;
    for (const double part : parts) states.push_back(layers_.moved(tensors_, solution, part));
    for (int64_t b = 0; b < batches(); ++b) {
      const Tensors targets = targets_of(b);
      for (size_t k = 0; k < parts.size(); ++k) {
        const Tensors now = values(b, states[k]);
        for (size_t t = 0; t < now.size(); ++t) {
          const at::Tensor left = left_of(t, targets[t], now[t]).first * mask(b, now[t], true);
          errors[k] += weights_[t] * left.square().sum(at::kDouble).item<double>();
        }
      }
    }
    for (auto& error : errors) sum_over_ranks(error);
    for (auto& error : errors)
      if (!std::isfinite(error)) error = std::numeric_limits<double>::infinity();
    return errors;
  }

  void take(const std::vector<at::Tensor>& tensors) {
    for (const auto state : layers_.states()) {
      tensors_[state] = tensors[state];
      auto& held = present_.network.state[state].tensor;
      held = tensors[state].detach().clone().requires_grad_(held.requires_grad());
    }
  }

  ActivationCache& source_;
  ActivationCache& present_;
  const JointFit& joint_;
  const GaussNewtonOptions& options_;
  LayerCurvatures layers_;
  std::vector<at::Tensor> tensors_;  // the state
  std::vector<ValueId> wanted_;
  std::vector<double> weights_;   // by target
  std::vector<Tensors> seen_;     // by batch; undefined where all is seen
  std::vector<Tensors> targets_;  // by batch; empty where there was no memory
  int64_t held_bytes_ = 0;
  double samples_ = 0;
};

}  // namespace

double gauss_newton(ActivationCache& source, ActivationCache& present, const JointFit& joint,
                    const GaussNewtonOptions& options) {
  const PlainAttention plain;
  double factor = 1;
  int64_t s = 0;
  GaussNewtonOptions own = options;
  if (options.progress)
    own.progress = [&](int64_t done, int64_t of, const std::string&) {
      options.progress(s * of + done, options.steps * of, fmt::format("step {}", s + 1));
    };
  JointProblem problem(source, present, joint, own);
  for (; s < options.steps; ++s) {
    const double now = problem.step();
    factor *= now;
    if (now == 1) break;
  }
  const int64_t all = options.steps * options.iterations;
  if (options.progress) options.progress(all, all, fmt::format("relative error {:.3g}", factor));
  return factor;
}

}  // namespace inn
