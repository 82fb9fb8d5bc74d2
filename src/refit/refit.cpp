#include "inn/refit/refit.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "fit_plan.h"
#include "gauss_newton.h"
#include "inn/calibration/activation_cache.h"
#include "inn/calibration/hold_out.h"
#include "inn/core/error.h"
#include "inn/network/channel_norm.h"
#include "inn/refit/least_squares.h"

namespace inn {
namespace {

// Of a joint fit of two layers.
constexpr int64_t kRowsPerFeature = 64;
constexpr int64_t kLeastSamples = 32;
// Part of the samples on which it is seen first whether a fit is worthwhile: whether it lowers the error on
// validation samples by enough. The first joint step is then a short one, too.
constexpr int64_t kFirstPart = 4, kFirstIterations = 2;
constexpr double kWorthwhile = 0.98;
// After so many tries that were not worthwhile fits of the kind are left out before the next try: two, four, eight, …
constexpr int64_t kMostFailures = 2;
// Of a fit of one layer: beyond, more rows change nothing.
constexpr int64_t kRowsPerFeatureAlone = 256;
// Fits are short of samples if the error on those held out is so many times the error on those fit; a ratio that is
// as good as 1. Smaller errors do not matter.
constexpr double kMostRatio = 1.5, kEnoughRatio = 1.2, kLeastError = 1e-3;
/// For all layers: more, since a network has few outputs for the number of unknowns.
constexpr double kTogetherDamping = 1e-2;

/// Throws std::invalid_argument if all samples or none would be used for validation.
void check_held_out(int64_t every) {
  require(every >= 2, "refit", "Refit: the validation interval must be at least 2 but got {}.", every);
}

/// Maps that select channels, without weights for the others; none if not all maps select.
std::map<GroupId, GroupMaps> selections_of(const std::map<GroupId, GroupMaps>& maps) {
  std::map<GroupId, GroupMaps> selections;
  for (const auto& [id, of] : maps) {
    if (!of.whole.empty() || of.produce.kind() != AxisMap::Kind::selection) return {};
    selections.emplace(id, GroupMaps{of.produce, of.produce});
  }
  return selections;
}

/// Goes through the network once.
class Sweep {
 public:
  Sweep(Network& resampled, const AnalysedNetwork& source, const std::map<GroupId, GroupMaps>& maps,
        const Calibration& calibration, const RefitOptions& options)
      : resampled_(resampled),
        options_(options),
        source_(source.network, calibration, options.memory),
        present_(resampled, calibration, options.memory),
        groups_(source.groups),
        selections_(selections_of(maps)),
        plan_(plan_fits(present_.network, source.groups, maps, options.only_readers, options.targets)) {}

  std::vector<LayerFit> run() {
    std::vector<LayerFit> results;
    for (const auto& skipped : plan_.skipped)
      results.push_back({.layer = skipped.layer, .skip_reason = skipped.reason});
    const auto all = static_cast<int64_t>(plan_.fits.size());
    for (const auto& fit : plan_.fits) {
      if (options_.stop && options_.stop()) {
        results.push_back(
            {.layer = present_.network.state[fit.linear.weight].name, .skip_reason = "stopped before"});
        continue;
      }
      const auto start = std::chrono::steady_clock::now();
      results.push_back(refit(fit));
      results.back().seconds =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      if (options_.progress)
        options_.progress(static_cast<int64_t>(&fit - plan_.fits.data()) + 1, all, results.back().layer);
    }
    return results;
  }

 private:
  /// Of fits of one kind: those in a row that gained nothing, those that were left out since, and whether the last
  /// that was tried gained.
  struct Tries {
    int64_t failures = 0, skipped = 0;
    bool gained = false;
  };

  LayerFit refit(const Fit& fit) {
    const auto& linear = fit.linear;
    LayerFit result{.layer = present_.network.state[linear.weight].name,
                    .target = fit.residual ? "the residual sum that it ends in" : "its output"};
    const at::Tensor prior = weight_matrix(present_.network, linear).to(at::kDouble);
    result.features = prior.size(2);
    if (prior.size(2) > options_.most_features) {
      result.skip_reason =
          fmt::format("it has {} features; the limit is {}", prior.size(2), options_.most_features);
      return result;
    }
    // A layer that was not cut can only make good what was lost before it, which often is nothing.
    // Biases are always fit: they make good means that were shifted, which add up from layer to layer.
    if (!fit.is_cut && !linear.bias && !fit.norm && !worth_a_try(kind_of(fit))) {
      result.skip_reason = "such layers before gained nothing";
      return result;
    }
    const size_t position = position_for(linear.call);
    source_.advance(position);
    present_.advance(position);
    at::Tensor prior_bias;
    if (linear.bias)
      prior_bias = present_.network.state[*linear.bias]
                       .tensor.detach()
                       .to(at::kDouble)
                       .reshape({prior.size(0), prior.size(1)});
    std::vector<at::Tensor> priors{prior};
    if (fit.is_cut)
      if (const auto plain = source_weights_of(fit); plain && !plain->equal(prior)) priors.push_back(*plain);
    const auto solve = [&](int64_t samples, std::optional<size_t> ahead = {}) {
      result.samples = samples;
      NormalEquations kept_in, held_out;
      accumulate(fit, samples, ahead, kept_in, held_out);
      result.rows = kept_in.rows() + held_out.rows();
      try {
        return choose_ridge(kept_in, held_out, priors, prior_bias, linear.bias || fit.norm, options_.ridges);
      } catch (const std::invalid_argument&) {
        raise<std::runtime_error>("refit", "Layer '{}': its activations must be finite.", result.layer);
      }
    };
    const int64_t samples = samples_for(fit),
                  part = std::max(samples / kFirstPart, std::min(kLeastSamples, samples));
    RidgeChoice choice = fit.is_cut ? solve(samples, position_after(fit)) : solve(part);
    if (!fit.is_cut) {
      const bool gained = choice.held_out_after < kWorthwhile * choice.held_out_before;
      record_try(kind_of(fit), gained);
      if (gained && part < samples) choice = solve(samples);
    }
    set_weights(fit, choice.fit);
    result.ridge = choice.ridge;
    result.error_before = choice.error_before;
    result.error_after = choice.error_after;
    result.held_out_before = choice.held_out_before;
    result.held_out_after = choice.held_out_after;
    for (const auto& block : plan_.blocks)
      if (block.layers.back().linear.call == linear.call) {
        result.block_gain *= steps_on(block);
        for (const auto& layer : block.layers) copy_state(layer);
      }
    return result;
  }

  /// What joint steps on the block are known by, "" if none are made: of a vocabulary each would take longer than all
  /// other fits together.
  std::string kind_of(const JointFit& block) const {
    std::string kind;
    if (options_.gauss_newton_steps == 0) return kind;
    for (const auto& layer : block.layers) {
      if (weight_matrix(present_.network, layer.linear).size(1) > options_.most_features) return "";
      kind += kind_of(layer);
    }
    return kind;
  }

  /// Where the source's cache may stand after a fit; nothing if joint steps may follow it, which begin before it.
  std::optional<size_t> position_after(const Fit& fit) {
    for (const auto& block : plan_.blocks)
      if (block.layers.back().linear.call == fit.linear.call && may_gain(kind_of(block))) return {};
    if (fit.residual && fit.residual->target != fit.residual->sum)
      return {};  // which comes later than the layer
    const auto next = static_cast<size_t>(&fit - plan_.fits.data()) + 1;
    if (next == plan_.fits.size()) return {};
    return position_for(plan_.fits[next].linear.call);
  }

  /// Returns the factor by which the error of the block on validation samples changed.
  double steps_on(const JointFit& block) {
    const std::string kind = kind_of(block);
    if (kind.empty() || !worth_a_try(kind)) return 1;
    const GaussNewtonOptions whole{.steps = options_.gauss_newton_steps,
                                   .iterations = options_.gauss_newton_iterations,
                                   .samples = samples_for(block),
                                   .held_out_every = options_.held_out_every,
                                   .seed = options_.seed,
                                   .memory = options_.memory};
    GaussNewtonOptions first = whole;
    first.steps = 1;
    first.iterations = std::min(kFirstIterations, whole.iterations);
    first.samples = std::max(kLeastSamples, whole.samples) / kFirstPart;
    const auto on_all = [&] {
      const double gain = gauss_newton(source_, present_, block, whole);
      record_try(kind, gain <= kWorthwhile);
      return gain;
    };
    if (tries_[kind].gained) return on_all();
    // The tensors that few samples give are not kept: they fit those samples.
    std::vector<std::pair<size_t, at::Tensor>> before;
    for (const auto& layer : block.layers)
      for (const auto state : states_of(layer))
        before.emplace_back(state, present_.network.state[state].tensor);
    const bool gained = gauss_newton(source_, present_, block, first) <= kWorthwhile;
    for (auto& [state, tensor] : before) present_.network.state[state].tensor = std::move(tensor);
    if (gained) return on_all();
    record_try(kind, false);
    return 1;
  }

  /// The source's weights of the channels that are kept, where channels were selected: without what the kernel's
  /// weights add for the others.
  std::optional<at::Tensor> source_weights_of(const Fit& fit) const {
    if (selections_.empty()) return {};
    const size_t state = fit.linear.weight;
    const at::Tensor weight =
        apply_maps(groups_, state, source_.network.state[state].tensor.detach(), selections_);
    return weight_matrix(present_.network, fit.linear, weight).to(at::kDouble);
  }

  /// The layer's operator and whether it is depthwise: layers that are alike gain alike.
  std::string kind_of(const Fit& fit) const {
    const auto& op = present_.network.calls[fit.linear.call].op;
    const bool depthwise = fit.linear.kind != LinearCall::Kind::linear &&
                           present_.network.state[fit.linear.weight].tensor.size(1) == 1;
    return fmt::format("{}{}{} ", op, depthwise ? " depthwise" : "", fit.residual ? " into a sum" : "");
  }

  /// Whether `worth_a_try` would say so.
  bool may_gain(const std::string& kind) const {
    const auto found = tries_.find(kind);
    return !kind.empty() && (found == tries_.end() || !is_left_out(found->second));
  }

  /// Whether a fit of this kind is tried: after some failures in a row ever fewer are.
  bool worth_a_try(const std::string& kind) {
    auto& tries = tries_[kind];
    if (!is_left_out(tries)) return true;
    ++tries.skipped;
    return false;
  }

  void record_try(const std::string& kind, bool gained) {
    auto& tries = tries_[kind];
    tries = {.failures = gained ? 0 : tries.failures + 1, .skipped = 0, .gained = gained};
  }

  static bool is_left_out(const Tries& tries) {
    return tries.failures >= kMostFailures &&
           tries.skipped < int64_t{1} << std::min<int64_t>(tries.failures - kMostFailures + 1, 20);
  }

  /// So many samples that there are rows for the unknowns, where a sample has many positions: fewer.
  int64_t samples_for(const JointFit& block) const {
    const auto& target = block.targets[0];
    int64_t features = 0;
    for (const auto& layer : block.layers) features += weight_matrix(present_.network, layer.linear).size(2);
    const int64_t most = options_.gauss_newton_samples;
    return std::clamp(kRowsPerFeature * features / positions_of(target.value, target.axis),
                      std::min(kLeastSamples, most), most);
  }

  /// The same for the fit of one layer, which looks at some positions only.
  int64_t samples_for(const Fit& fit) const {
    const int64_t features = weight_matrix(present_.network, fit.linear).size(2), most = present_.samples();
    const int64_t positions =
        std::min(options_.positions,
                 positions_of(fit.linear.output, fit.linear.kind == LinearCall::Kind::linear ? -1 : 1));
    return std::clamp(kRowsPerFeatureAlone * features / positions, std::min(kLeastSamples, most), most);
  }

  /// Of one sample, as in the example.
  int64_t positions_of(ValueId value, int64_t axis) const {
    const auto& sizes = present_.network.values[static_cast<size_t>(value)].sizes;
    const auto channels = axis < 0 ? sizes.size() - 1 : static_cast<size_t>(axis);
    int64_t positions = 1;
    for (size_t d = 1; d < sizes.size(); ++d)
      if (d != channels) positions *= std::max<int64_t>(1, sizes[d]);
    return positions;
  }

  /// Where the activation caches may stand: before this call, and before every block that is still to be fit.
  size_t position_for(size_t call) const {
    size_t position = call;
    if (options_.gauss_newton_steps > 0)
      for (const auto& block : plan_.blocks)
        if (block.layers.back().linear.call >= call)
          position = std::min(position, block.layers.front().linear.call);
    return position;
  }

  /// The tensors that a fit sets.
  static std::vector<size_t> states_of(const Fit& fit) {
    std::vector<size_t> states{fit.linear.weight};
    if (fit.linear.bias) states.push_back(*fit.linear.bias);
    if (fit.norm) states.push_back(fit.norm->mean);
    if (fit.norm && fit.norm->shift) states.push_back(*fit.norm->shift);
    return states;
  }

  /// Takes a layer's weights from the present network.
  void copy_state(const Fit& fit) {
    for (const auto state : states_of(fit))
      resampled_.state[state].tensor = present_.network.state[state].tensor.contiguous();
  }

  /// `ahead`: where the source's cache then stands, if nothing before it is asked for again.
  void accumulate(const Fit& fit, int64_t used, std::optional<size_t> ahead, NormalEquations& kept_in,
                  NormalEquations& held_out) {
    const auto& linear = fit.linear;
    std::vector<ValueId> of_source{linear.output}, of_present{linear.input};
    if (fit.residual) {
      of_source.push_back(fit.residual->target);
      of_present.push_back(fit.residual->partner);
    }
    const PositionSample positions{options_.positions, options_.seed};
    int64_t first = present_.samples_of_ranks_before();  // sample of the batch
    const auto take = [&](int64_t b, const std::vector<c10::IValue>& y) {
      if (b > 0 && first >= used) return;
      const auto x = present_.run(b, of_present);
      const at::Tensor input = x[0].toTensor();
      const int64_t samples = input.size(0) % present_.samples(b) == 0 ? present_.samples(b) : 1;
      const auto rows = [&](const at::Tensor& tensor) {
        return targets_of(present_.network, linear, tensor, samples, positions).to(at::kDouble);
      };
      const int64_t axis = linear.kind == LinearCall::Kind::linear ? -1 : 1;
      const auto of_map = [&](const c10::IValue& value) { return fit.outputs.apply(value.toTensor(), axis); };
      at::Tensor target = rows(of_map(y[0]));
      if (fit.residual) {
        const at::Tensor wanted = rows(of_map(y[1])) - rows(x[1].toTensor());
        target = fit.norm ? behind_norm(fit.norm->call, wanted, target) : wanted;
      }
      const at::Tensor features = features_of(present_.network, linear, input, samples, positions);
      add(features, target, first, used, kept_in, held_out);
      first += samples;
    };
    if (ahead) {
      source_.advance(*ahead, of_source, take);
    } else {
      for (int64_t b = 0; b < present_.batches() && (b == 0 || first < used); ++b)
        take(b, source_.run(b, of_source));
    }
    kept_in.sum_over_ranks();
    held_out.sum_over_ranks();
  }

  at::Tensor behind_norm(size_t norm, const at::Tensor& wanted, const at::Tensor& own) const {
    // [g, samples, positions, outputs]: the channels of a norm are the groups' outputs, one group after
    // another.
    const auto joined = [](const at::Tensor& rows) { return rows.movedim(0, 2).flatten(2); };
    const at::Tensor result = channel_norm(present_.network, norm).inverse(joined(wanted), joined(own));
    return result.unflatten(2, {own.size(0), own.size(3)}).movedim(2, 0);
  }

  /// Adds the samples of a batch that begins with sample `first`; only those before `used`.
  void add(const at::Tensor& features, const at::Tensor& targets, int64_t first, int64_t used,
           NormalEquations& kept_in, NormalEquations& held_out) const {
    const at::Tensor is_held = HeldOut(options_.held_out_every, used).of(first, features.size(1)),
                     is_used = at::arange(first, first + features.size(1)) < used;
    for (const bool held : {false, true}) {
      const auto chosen = (held ? is_held : is_held.logical_not()).logical_and(is_used).nonzero().flatten();
      const auto part = [&](const at::Tensor& rows) {
        return rows.index_select(1, chosen.to(rows.device())).flatten(1, 2);
      };
      (held ? held_out : kept_in).add(part(features), part(targets));
    }
  }

  void set_weights(const Fit& fit, const NormalEquations::Fit& solved) {
    const auto& linear = fit.linear;
    set(linear.weight, weight_of_matrix(present_.network, linear, solved.weight));
    if (!solved.bias.defined()) return;
    const at::Tensor bias = solved.bias.flatten();
    if (linear.bias) {
      set(*linear.bias, bias);
    } else {
      const size_t mean = fit.norm->mean;
      set(mean, present_.network.state[mean].tensor.detach().to(at::kDouble) - bias);
    }
  }

  void set(size_t state, const at::Tensor& tensor) {
    auto& old = resampled_.state[state].tensor;
    const bool requires_grad = old.requires_grad();
    old = tensor.to(old.options()).contiguous().detach().requires_grad_(requires_grad);
    auto& present = present_.network.state[state].tensor;
    present = old.detach().contiguous(present.suggest_memory_format()).requires_grad_(requires_grad);
  }

  Network& resampled_;
  const RefitOptions& options_;
  ActivationCache source_, present_;
  const Groups& groups_;
  std::map<GroupId, GroupMaps> selections_;
  FitPlan plan_;
  std::map<std::string, Tries> tries_;  // by kind of fit
};

}  // namespace

std::vector<LayerFit> refit(Network& resampled, const AnalysedNetwork& source,
                            const std::map<GroupId, GroupMaps>& maps, const Calibration& calibration,
                            const RefitOptions& options) {
  check_held_out(options.held_out_every);
  require(options.sweeps >= 1, "refit", "Refit: at least one sweep is required but got {}.", options.sweeps);
  const at::NoGradGuard no_grad;
  Network result = resampled;
  std::vector<LayerFit> fits;
  for (int64_t s = 0; s < options.sweeps; ++s) fits = Sweep(result, source, maps, calibration, options).run();
  resampled = std::move(result);
  return fits;
}

std::vector<std::string> sample_warnings(const std::vector<LayerFit>& layers, int64_t samples) {
  struct Short {
    std::string layer;
    double excess;  // F/N
  };
  std::vector<Short> found;
  for (const auto& layer : layers) {
    if (!layer.skip_reason.empty() || layer.rows == 0 || layer.samples < samples) continue;
    const double ratio = layer.error_after > kLeastError ? layer.held_out_after / layer.error_after : 1;
    double excess = ratio > kMostRatio ? (ratio - 1) / (ratio + 1) : 0;
    if (layer.rows < layer.features)
      excess = std::max(excess, static_cast<double>(layer.features) / static_cast<double>(layer.rows));
    if (excess > 0) found.push_back({layer.layer, excess});
  }
  if (found.empty()) return {};
  const auto worst = std::max_element(found.begin(), found.end(),
                                      [](const Short& a, const Short& b) { return a.excess < b.excess; });
  const double enough = (kEnoughRatio - 1) / (kEnoughRatio + 1);
  const double wanted = static_cast<double>(samples) * worst->excess / enough;
  const double step = std::pow(10, std::floor(std::log10(wanted)));
  return {fmt::format(
      "{} calibration samples are too few for {} of the layers, most of all for '{}': about {:.0f} "
      "would be enough.",
      samples, found.size(), worst->layer, std::ceil(wanted / step) * step)};
}

double refit_together(Network& resampled, const AnalysedNetwork& source,
                      const std::map<GroupId, GroupMaps>& maps, const Calibration& calibration,
                      const TogetherOptions& options) {
  check_held_out(options.held_out_every);
  const at::NoGradGuard no_grad;
  ActivationCache from(source.network, calibration, options.memory),
      now(resampled, calibration, options.memory);
  const JointFit whole = plan_fits(now.network, source.groups, maps).whole;
  if (whole.layers.empty() || whole.targets.empty()) return 1;
  const size_t first = whole.layers.front().linear.call;
  from.advance(first);
  now.advance(first);
  const double gain = gauss_newton(from, now, whole,
                                   {.steps = options.steps,
                                    .iterations = options.iterations,
                                    .samples = options.samples,
                                    .held_out_every = options.held_out_every,
                                    .damping = kTogetherDamping,
                                    .seed = options.seed,
                                    .memory = options.memory,
                                    .progress = options.progress});
  for (size_t s = 0; s < resampled.state.size(); ++s)
    resampled.state[s].tensor = now.network.state[s].tensor.contiguous();
  return gain;
}

}  // namespace inn
