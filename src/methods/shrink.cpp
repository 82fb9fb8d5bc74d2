#include "inn/methods/shrink.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "inn/calibration/hold_out.h"
#include "inn/core/error.h"
#include "inn/cost/cost.h"
#include "inn/cost/latency.h"
#include "inn/data_quadrature/data_quadrature.h"
#include "inn/methods/distillation_data.h"
#include "inn/methods/model_budget.h"
#include "inn/model/batch_norm.h"
#include "inn/train/agreement.h"
#include "inn/train/evaluate.h"

namespace inn {
namespace {

using Clock = std::chrono::steady_clock;

// Of the search for a quality: the least fraction of the cost that is tried.
constexpr double kLeastFraction = 0.02;
// Seconds of distillation that are worth their start.
constexpr double kLeastDistillation = 5;
// A run of a network forward and back, and forward differentiation, in runs forward.
constexpr double kRunsOfIteration = 6;
// A measurement of the latency takes about so long, and so many runs.
constexpr double kLatencySeconds = 1;
constexpr int64_t kLeastRuns = 5, kMostRuns = 50;

double seconds_from(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

int64_t state_bytes(const Network& network) {
  int64_t bytes = 0;
  for (const auto& entry : network.state) bytes += static_cast<int64_t>(entry.tensor.nbytes());
  return bytes;
}

class Shrinker {
 public:
  Shrinker(const AnyModel& model, const ShrinkSamples& samples, const ShrinkOptions& options)
      : model_(model),
        samples_(samples),
        options_(options),
        source_(model.source()),
        reference_(source_.network),
        limited_(options.widths),
        start_(Clock::now()) {
    reference_.set_training(false);
    require(options.budget.of != Budget::Of::accuracy || samples.evaluated.batch, "methods",
            "Budget accuracy: labelled samples are required (--data).");
    require(!Budget{options.smallest}.is_quality(), "methods",
            "What is least must be a cost: macs, params, latency or memory.");
  }

  Shrunk run() {
    result_.before = timed_figures();
    Curves curves;
    stage("error curves", [&] {
      curves = model_error_curves(model_, options_.widths, samples_.fitting,
                                  {.seed = options_.seed, .progress = progress("error curves")});
      return fmt::format("{} groups", curves.size());
    });
    round_for_target(curves);
    if (options_.budget.is_quality()) {
      search_quality(curves);
    } else {
      cut_to(widths_within(curves));
    }
    improve();
    finish();
    result_.seconds = seconds_from(start_);
    return std::move(result_);
  }

 private:
  using Curves = std::map<GroupId, ErrorCurve>;
  using Widths = std::map<GroupId, int64_t>;

  /// Does the work of a stage, which returns what came of it.
  void stage(const std::string& name, const std::function<std::string()>& work) {
    const auto begun = Clock::now();
    const std::string text = work();
    result_.stages.push_back({name, text, seconds_from(begun)});
  }

  StepCallback progress(const std::string& name) const {
    return [this, name](int64_t done, int64_t all, const std::string& step) {
      if (options_.progress) options_.progress(name, done, all, step);
    };
  }

  void round_for_target(const Curves& curves) {
    auto& round_to = limited_.limits.round_to;
    if (options_.target == DeploymentTarget::any || round_to != 1) return;
    std::vector<int64_t> widths;
    for (const auto& [id, curve] : curves) widths.push_back(source_.groups.groups[id].width);
    const auto middle = widths.begin() + static_cast<int64_t>(widths.size() / 2);
    std::nth_element(widths.begin(), middle, widths.end());
    round_to = *middle >= 64 ? 8 : *middle >= 32 ? 4 : 1;
  }

  /// What is left until the result must be judged.
  double left() const { return options_.seconds - seconds_from(start_) - 2 * figures_seconds_; }
  bool stopped() const { return (options_.stop && options_.stop()) || left() <= 0; }

  NetworkFigures timed_figures() {
    const auto begun = Clock::now();
    agreement(reference_, reference_, samples_.held_out);
    forward_seconds_ = seconds_from(begun) / 2;
    auto figures = figures_of(reference_);
    figures_seconds_ = seconds_from(begun);
    return figures;
  }

  double latency_of(const Network& network) const {
    const auto inputs = example_inputs(network, 1);
    const double one = measure_latency(network, inputs, {.repetitions = 2, .warmup = 1}).median;
    const auto runs = static_cast<int64_t>(kLatencySeconds / std::max(one, 1e-9));
    return measure_latency(network, inputs, {.repetitions = std::clamp(runs, kLeastRuns, kMostRuns)}).median;
  }

  NetworkFigures figures_of(const Network& network) const {
    const CostReport cost = cost_of(network);
    NetworkFigures figures{.macs = static_cast<double>(cost.macs),
                           .parameters = static_cast<double>(cost.parameters),
                           .memory = state_bytes(network) + cost.peak_memory.bytes,
                           .latency = latency_of(network)};
    if (samples_.evaluated.batch) {
      const auto found = evaluate(network, samples_.evaluated);
      if (!found.regression) figures.accuracy = Rate{found.accuracy, found.count};
      figures.loss = found.loss;
    }
    return figures;
  }

  Widths widths_within(const Curves& curves) {
    Widths widths;
    stage("widths", [&] {
      const auto begun = Clock::now();
      int64_t rounds = 1;  // networks made
      const auto bar = progress("widths");
      // So that there is time for the network of all samples, which may take longer than one of a round.
      const auto stop = [&, this] {
        return stopped() || left() < 3 * seconds_from(begun) / static_cast<double>(rounds);
      };
      const auto found =
          within_budget(model_, options_.budget, limited_, curves, samples_.fitting,
                        {.rechecks = options_.rechecks,
                         .curves = {.seed = options_.seed, .stop = stop},
                         .recheck_progress = [&](int64_t done, int64_t all, const std::string& what) {
                           rounds = done + 1;
                           bar(done, all, what);
                         }});
      widths = ids_of(found);
      return fmt::format("{} networks compared", rounds);
    });
    return widths;
  }

  /// Of all groups that a width is chosen for, and of those that have one by name.
  Widths ids_of(const PruneOptions& chosen) const {
    Widths widths;
    for (const auto& [name, width] : chosen.widths) widths[source_.groups.find(name)] = width;
    return widths;
  }

  DataQuadrature made_at(const Widths& widths) const {
    return resample(source_, widths, samples_.fitting,
                    {.nodes = {.progress = progress("nodes")},
                     .refit = {.seed = options_.seed, .progress = progress("refit"), .stop = [this] {
                                 return stopped();
                               }}});
  }

  void take(DataQuadrature made, const Widths& widths) {
    widths_ = widths;
    network_ = std::move(made.network);
    maps_ = std::move(made.maps);
    result_.layers = std::move(made.layers);
  }

  void cut_to(const Widths& widths) {
    stage("channels and refits", [&] {
      take(made_at(widths), widths);
      return refit_text();
    });
  }

  std::string refit_text() const {
    int64_t fit = 0, stopped = 0;
    for (const auto& layer : result_.layers) (layer.skip_reason.empty() ? fit : stopped) += 1;
    return stopped == 0 ? fmt::format("{} layers", fit) : fmt::format("{} layers, {} left", fit, stopped);
  }

  /// Whether the network is good enough, and how good it is.
  std::pair<bool, std::string> judged(const Network& network) const {
    const double wanted = options_.budget.amount;
    if (options_.budget.of == Budget::Of::agreement) {
      const double rate = agreement(network, reference_, samples_.held_out).agreement;
      return {rate >= wanted, fmt::format("{:.1f} % agree", 100 * rate)};
    }
    const auto found = evaluate(network, samples_.evaluated);
    require(!found.regression && result_.before.accuracy, "methods",
            "Budget accuracy: the labels must be classes.");
    const double least = wanted > 0 ? wanted : result_.before.accuracy->rate + wanted / 100;
    return {found.accuracy >= least, fmt::format("accuracy {:.2f} %", 100 * found.accuracy)};
  }

  std::string wanted_text() const {
    const double wanted = options_.budget.amount;
    if (options_.budget.of == Budget::Of::agreement)
      return fmt::format("agrees on {:.2f} % of the samples", 100 * wanted);
    return wanted > 0 ? fmt::format("has an accuracy of {:.2f} %", 100 * wanted)
                      : fmt::format("loses at most {:g} points of accuracy", -wanted);
  }

  /// The least cost at which the network is good enough, by halving intervals.
  void search_quality(const Curves& curves) {
    stage("widths and refits", [&] {
      double low = kLeastFraction, high = 1;  // of the cost: not enough, enough
      double longest = 0;
      int64_t round = 0;
      bool found = false;
      const auto bar = progress("widths and refits");
      for (; round < options_.quality_rounds && !stopped() && left() > longest; ++round) {
        const auto begun = Clock::now();
        const double fraction = std::sqrt(low * high);
        const Budget budget{options_.smallest, fraction, true};
        std::optional<Widths> widths;
        try {
          widths = ids_of(within_budget(model_, budget, limited_, curves, samples_.fitting, {.rechecks = 0}));
        } catch (const std::invalid_argument&) {
          low = fraction;  // beyond the limits of the widths
          continue;
        }
        auto made = made_at(*widths);
        const auto [holds, text] = judged(made.network);
        if (holds) {
          high = fraction;
          found = true;
          take(std::move(made), *widths);
        } else {
          low = fraction;
        }
        longest = std::max(longest, seconds_from(begun));
        bar(round + 1, options_.quality_rounds, text);
      }
      bar(options_.quality_rounds, options_.quality_rounds, "");
      if (!found) {
        take({.network = source_.network, .maps = {}, .groups = {}, .layers = {}}, {});
        network_.set_training(false);
        result_.notes.push_back(
            fmt::format("No smaller network that {} was found; the result is the source.", wanted_text()));
      } else if (options_.budget.of == Budget::Of::accuracy) {
        result_.notes.push_back(
            "The network was chosen by its accuracy on these labelled samples: on others it is a little "
            "lower.");
      }
      return fmt::format("{} networks compared", round);
    });
  }

  void improve() {
    if (maps_.empty()) return;
    const int64_t fitting = samples_of(samples_.fitting);
    for (const auto& warning : sample_warnings(result_.layers, fitting)) result_.notes.push_back(warning);
    const TogetherOptions together{
        .steps = options_.together, .seed = options_.seed, .progress = progress("joint steps")};
    const double estimate =
        kRunsOfIteration * static_cast<double>(together.steps * (together.iterations + 2)) *
        forward_seconds_ * static_cast<double>(fitting) / static_cast<double>(samples_of(samples_.held_out));
    if (together.steps > 0 && !stopped()) {
      if (estimate < left() / 2) {
        stage("joint steps", [&] {
          const double gain = refit_together(network_, source_, maps_, samples_.fitting, together);
          return fmt::format("error × {:.3f}", gain);
        });
      } else {
        result_.notes.push_back(fmt::format(
            "Joint steps over all layers were left out: they would take about {:.0f} s of the {:.0f} s left.",
            estimate, left()));
      }
    }
    if (options_.distill && !stopped() && left() > kLeastDistillation)
      stage("distillation", [&] {
        const auto found =
            distill(network_, source_, maps_, samples_.distillation,
                    {.seconds = left(), .progress = progress("distillation"), .stop = options_.stop});
        return fmt::format("{} steps, error × {:.3f}", found.steps, found.gain);
      });
  }

  static int64_t samples_of(const Calibration& data) {
    int64_t count = 0, index = 0;
    for (auto batch = data.batch(0); batch; batch = data.batch(++index))
      count += batch->inputs.at(0).toTensor().size(0);
    return count;
  }

  void finish() {
    if (options_.fold_batch_norm) network_ = fold_batch_norm(network_);
    if (options_.target == DeploymentTarget::cpu) choose_layout();
    stage("measurement", [&] {
      result_.after = figures_of(network_);
      const auto compared = agreement(network_, reference_, samples_.held_out);
      result_.after.agreement = Rate{compared.agreement, compared.count};
      result_.after.output_error = compared.error;
      return fmt::format("{} samples held out", result_.after.agreement->count);
    });
    if (options_.stop && options_.stop())
      result_.notes.push_back("Interrupted: this is the best network so far.");
    for (const auto& group : source_.groups.groups) {
      const auto id = static_cast<GroupId>(&group - source_.groups.groups.data());
      if (const auto found = widths_.find(id); found != widths_.end())
        result_.widths.push_back({group.name, {group.width, found->second}});
    }
    result_.network = std::move(network_);
    result_.network.to(c10::Device(c10::kCPU));
  }

  void choose_layout() {
    Network other = network_.clone();
    try {
      other.to_channels_last();
    } catch (const std::invalid_argument&) {
      return;  // it depends on the order in memory
    }
    if (latency_of(other) < latency_of(network_)) network_ = std::move(other);
  }

  const AnyModel& model_;
  const ShrinkSamples& samples_;
  const ShrinkOptions& options_;
  const AnalysedNetwork& source_;
  Network reference_;
  PruneOptions limited_;  // the widths asked for, with the limits of the target
  Clock::time_point start_;
  double figures_seconds_ = 0, forward_seconds_ = 0;
  Network network_;
  Widths widths_;
  std::map<GroupId, GroupMaps> maps_;
  Shrunk result_ = {};
};

}  // namespace

const char* to_string(DeploymentTarget target) {
  switch (target) {
    case DeploymentTarget::any:
      return "any";
    case DeploymentTarget::cpu:
      return "cpu";
    case DeploymentTarget::cuda:
      return "cuda";
    case DeploymentTarget::tensorrt:
      return "tensorrt";
    case DeploymentTarget::xnnpack:
      return "xnnpack";
  }
  return "";
}

DeploymentTarget parse_target(const std::string& name) {
  for (const auto target : {DeploymentTarget::any, DeploymentTarget::cpu, DeploymentTarget::cuda,
                            DeploymentTarget::tensorrt, DeploymentTarget::xnnpack})
    if (name == to_string(target)) return target;
  raise("methods", "Target '{}': must be any, cpu, cuda, tensorrt or xnnpack.", name);
}

double Rate::standard_error() const {
  return std::sqrt(rate * (1 - rate) / static_cast<double>(std::max<int64_t>(1, count)));
}

ShrinkSamples shrink_samples(const AnyModel& model, const CalibrationData& data,
                             const CalibrationData* evaluated) {
  const Network& network = model.source().network;
  const auto batches = [&](const Dataset& samples, const Augmentation& augmentation) {
    return calibration_of({samples, data.normalization, data.device, augmentation}, network,
                          Measured::activations);
  };
  const auto [rest, held_out] = hold_out(data.samples);
  return {
      .fitting = batches(rest, data.augmentation),
      .held_out = batches(held_out, {}),
      .evaluated = evaluated ? calibration_of(*evaluated, network, Measured::activations) : Calibration{},
      .distillation = distillation_data({rest, data.normalization, data.device, data.augmentation}, network)};
}

ShrinkSamples shrink_samples(const Calibration& data, const Calibration& evaluated) {
  auto [rest, held_out] = hold_out(data);
  return {.fitting = rest,
          .held_out = std::move(held_out),
          .evaluated = evaluated,
          .distillation = distillation_data(rest)};
}

Shrunk shrink(const AnyModel& model, const ShrinkSamples& samples, const ShrinkOptions& options) {
  require(options.seconds > 0, "methods", "Shrinking: the time must be positive but got {} s.",
          options.seconds);
  require(!options.widths.keep && options.widths.keep_of.empty(), "methods",
          "Shrinking: widths are chosen for the budget; fractions can't be given.");
  return Shrinker(model, samples, options).run();
}

}  // namespace inn
