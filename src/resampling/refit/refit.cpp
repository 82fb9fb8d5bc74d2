#include "inn/resampling/refit.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <chrono>

#include "inn/core/error.h"
#include "inn/resampling/least_squares.h"
#include "resampling/refit/fit_plan.h"
#include "resampling/refit/replay.h"

namespace inn {
namespace {

// A channel whose norm scales it by less than this part of the median scale can't reach a target behind the
// norm: it is fit to its own output.
constexpr double kDeadScale = 1e-3;

/// y ↦ scale·(y − mean) + shift for each channel: a batch norm in evaluation mode. float64.
struct ChannelNorm {
  at::Tensor scale, mean, shift;

  /// Returns what must come in for `wanted` to come out, along the last axis; `own` where a channel is dead.
  at::Tensor inverse(const at::Tensor& wanted, const at::Tensor& own) const {
    const auto alive = scale.abs() > kDeadScale * scale.abs().median();
    const auto safe = at::where(alive, scale, at::ones_like(scale));
    return at::where(alive, (wanted - shift) / safe + mean, own);
  }
};

ChannelNorm norm_of(const Network& network, size_t index) {
  const auto& call = network.calls[index];
  const auto tensor = [&](size_t place) {
    return network.state[*network.state_of(call.arguments[place].value())].tensor.detach().to(at::kDouble);
  };
  const bool trains = call.op == "aten::batch_norm";  // the other operator has no such flag
  const double epsilon = call.arguments.at(trains ? 7 : 6).constant().toDouble();
  const auto mean = tensor(3), deviation = (tensor(4) + epsilon).sqrt();
  return {.scale = call.arguments[1].is_none() ? deviation.reciprocal() : tensor(1) / deviation,
          .mean = mean,
          .shift = call.arguments[2].is_none() ? at::zeros_like(mean) : tensor(2)};
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
        plan_(plan_fits(present_.network, source.groups, maps)) {}

  std::vector<LayerFit> run() {
    std::vector<LayerFit> results;
    for (const auto& kept : plan_.kept) results.push_back({.layer = kept.layer, .kept = kept.reason});
    const auto all = static_cast<int64_t>(plan_.fits.size());
    for (const auto& fit : plan_.fits) {
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
  LayerFit refit(const Fit& fit) {
    const auto& linear = fit.linear;
    LayerFit result{.layer = present_.network.state[linear.weight].name,
                    .target = fit.residual ? "the sum that it ends in" : "its output"};
    const at::Tensor prior = weight_matrix(present_.network, linear).to(at::kDouble);
    result.features = prior.size(2);
    if (prior.size(2) > options_.most_features) {
      result.kept = fmt::format("{} features are more than the {} that a fit may have", prior.size(2),
                                options_.most_features);
      return result;
    }
    source_.advance(linear.call);
    present_.advance(linear.call);
    NormalEquations kept_in, held_out;
    accumulate(fit, kept_in, held_out);
    result.rows = kept_in.rows() + held_out.rows();
    at::Tensor prior_bias;
    if (linear.bias)
      prior_bias = present_.network.state[*linear.bias]
                       .tensor.detach()
                       .to(at::kDouble)
                       .reshape({prior.size(0), prior.size(1)});
    RidgeChoice choice = [&] {
      try {
        return choose_ridge(kept_in, held_out, prior, prior_bias, linear.bias || fit.norm, options_.ridges);
      } catch (const std::invalid_argument&) {
        raise<std::runtime_error>("resampling", "Layer '{}': its activations are not finite.", result.layer);
      }
    }();
    set_weights(fit, choice.fit);
    result.ridge = choice.ridge;
    result.error_before = choice.error_before;
    result.error_after = choice.error_after;
    result.held_out_before = choice.held_out_before;
    result.held_out_after = choice.held_out_after;
    return result;
  }

  void accumulate(const Fit& fit, NormalEquations& kept_in, NormalEquations& held_out) {
    const auto& linear = fit.linear;
    std::vector<ValueId> of_source{linear.output}, of_present{linear.input};
    if (fit.residual) {
      of_source.push_back(fit.residual->sum);
      of_present.push_back(fit.residual->partner);
    }
    const PositionSample positions{options_.positions, options_.seed};
    int64_t first = 0;  // sample of the batch
    for (int64_t b = 0; b < present_.batches(); ++b) {
      const auto y = source_.run(b, of_source), x = present_.run(b, of_present);
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
        target = fit.norm ? behind_norm(*fit.norm, wanted, target) : wanted;
      }
      const at::Tensor features = features_of(present_.network, linear, input, samples, positions);
      add(features, target, first, kept_in, held_out);
      first += samples;
    }
  }

  at::Tensor behind_norm(size_t norm, const at::Tensor& wanted, const at::Tensor& own) const {
    // [g, samples, positions, outputs]: the channels of a norm are the groups' outputs, one group after
    // another.
    const auto joined = [](const at::Tensor& rows) { return rows.movedim(0, 2).flatten(2); };
    const at::Tensor result = norm_of(present_.network, norm).inverse(joined(wanted), joined(own));
    return result.unflatten(2, {own.size(0), own.size(3)}).movedim(2, 0);
  }

  void add(const at::Tensor& features, const at::Tensor& targets, int64_t first, NormalEquations& kept_in,
           NormalEquations& held_out) const {
    const auto number = at::arange(first, first + features.size(1));
    const auto is_held = number.remainder(options_.held_out_every) == options_.held_out_every - 1;
    for (const bool held : {false, true}) {
      const auto chosen = (held ? is_held : is_held.logical_not()).nonzero().flatten();
      if (chosen.numel() == 0) continue;
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
      const auto mean = *present_.network.state_of(present_.network.calls[*fit.norm].arguments[3].value());
      set(mean, present_.network.state[mean].tensor.detach().to(at::kDouble) - bias);
    }
  }

  void set(size_t state, const at::Tensor& tensor) {
    auto& old = resampled_.state[state].tensor;
    const bool requires_grad = old.requires_grad();
    old = tensor.to(old.options()).contiguous().detach().requires_grad_(requires_grad);
    present_.network.state[state].tensor = old;
  }

  Network& resampled_;
  const RefitOptions& options_;
  Replay source_, present_;
  FitPlan plan_;
};

}  // namespace

std::vector<LayerFit> refit(Network& resampled, const AnalysedNetwork& source,
                            const std::map<GroupId, GroupMaps>& maps, const Calibration& calibration,
                            const RefitOptions& options) {
  require(options.held_out_every >= 2, "resampling",
          "Refit: of so many samples one is held out: at least 2 but got {}.", options.held_out_every);
  require(options.sweeps >= 1, "resampling", "Refit: at least one sweep is needed but got {}.",
          options.sweeps);
  const at::NoGradGuard no_grad;
  Network result = resampled;
  std::vector<LayerFit> fits;
  for (int64_t s = 0; s < options.sweeps; ++s) fits = Sweep(result, source, maps, calibration, options).run();
  resampled = std::move(result);
  return fits;
}

}  // namespace inn
