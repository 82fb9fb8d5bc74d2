#include "inn/refit/distill.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <torch/optim/adamw.h>

#include <chrono>
#include <cmath>
#include <limits>
#include <numbers>

#include "fit_plan.h"
#include "inn/calibration/calibration_run.h"
#include "inn/calibration/variation.h"
#include "inn/core/error.h"
#include "inn/core/ranks.h"
#include "inn/network/functionalize.h"

namespace inn {
namespace {

constexpr double kTrialShare = 0.1;  // of the time, for each learning rate
constexpr double kWeightDecay = 0;   // the weights start where they are right

using Clock = std::chrono::steady_clock;
using Values = std::map<ValueId, at::Tensor>;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// In evaluation mode and without calls in place, so that every value can be looked at.
Network observable(const Network& given) {
  Network network = given;
  network.set_training(false);
  if (auto plain = functionalize(network)) network = std::move(*plain);
  use_fastest_layout(network);
  return network;
}

Values values_of(const Network& network, std::span<const at::Tensor> tensors,
                 const std::vector<c10::IValue>& inputs, const std::vector<Target>& targets) {
  Values values;
  network.forward(inputs, tensors, {.observe = [&](ValueId id, const at::Tensor& tensor) {
                    for (const auto& target : targets)
                      if (target.value == id) values[id] = tensor;
                  }});
  return values;
}

class Student {
 public:
  Student(const Network& resampled, const AnalysedNetwork& source, const std::map<GroupId, GroupMaps>& maps)
      : source_(observable(source.network)), student_(observable(resampled)) {
    targets_ = plan_fits(student_, source.groups, maps).whole.targets;
    source_tensors_ = source_.tensors();
    for (auto& tensor : source_tensors_) tensor = tensor.detach();
    for (size_t s = 0; s < student_.state.size(); ++s) {
      auto tensor = student_.state[s].tensor.detach().clone();
      if (student_.state[s].kind == StateEntry::Kind::parameter && at::isFloatingType(tensor.scalar_type())) {
        tensor.requires_grad_();
        trained_.push_back(tensor);
      }
      tensors_.push_back(tensor);
    }
  }

  bool has_work() const { return !targets_.empty() && !trained_.empty(); }

  /// Finds what the squared error of each target is divided by, on these samples.
  void measure_variations(const Calibration& samples) {
    const at::NoGradGuard no_grad;
    std::vector<Variation> variations(targets_.size());
    double count = 0;
    for_each_batch(samples, [&](const CalibrationBatch& batch) {
      const auto wanted = wanted_on(batch);
      for (size_t t = 0; t < wanted.size(); ++t) variations[t].add(wanted[t]);
      count += samples_of(batch);
    });
    for (size_t t = 0; t < targets_.size(); ++t) {
      const double variation = variations[t].sum() / count;
      weights_.push_back(variation > 0 ? targets_[t].weight / variation : 0);
    }
  }

  /// The weighted squared error of a batch, a sample.
  at::Tensor loss(const CalibrationBatch& batch) const {
    const auto wanted = wanted_on(batch);
    const auto values = values_of(student_, tensors_, batch.inputs, targets_);
    at::Tensor sum;
    for (size_t t = 0; t < targets_.size(); ++t) {
      const at::Tensor error =
          (wanted[t] - targets_[t].seen(values.at(targets_[t].value))).square().sum() * weights_[t];
      sum = sum.defined() ? sum + error : error;
    }
    return sum / samples_of(batch);
  }

  double error(const Calibration& samples) const {
    const at::NoGradGuard no_grad;
    double sum = 0, count = 0;
    for_each_batch(samples, [&](const CalibrationBatch& batch) {
      sum += loss(batch).item<double>() * samples_of(batch);
      count += samples_of(batch);
    });
    return sum / count;
  }

  std::vector<at::Tensor>& trained() { return trained_; }

  std::vector<at::Tensor> copy() const {
    std::vector<at::Tensor> copies;
    for (const auto& tensor : trained_) copies.push_back(tensor.detach().clone());
    return copies;
  }

  void set(const std::vector<at::Tensor>& weights) {
    const at::NoGradGuard no_grad;
    for (size_t k = 0; k < weights.size(); ++k) trained_[k].copy_(weights[k]);
  }

  /// Puts the trained parameters into the network that was resampled.
  void give(Network& resampled) const {
    for (size_t s = 0; s < tensors_.size(); ++s)
      if (tensors_[s].requires_grad()) {
        auto& old = resampled.state[s].tensor;
        old = tensors_[s].detach().contiguous().requires_grad_(old.requires_grad());
      }
  }

 private:
  static double samples_of(const CalibrationBatch& batch) {
    return static_cast<double>(batch.inputs.at(0).toTensor().size(0));
  }

  std::vector<at::Tensor> wanted_on(const CalibrationBatch& batch) const {
    const at::NoGradGuard no_grad;
    const auto values = values_of(source_, source_tensors_, batch.inputs, targets_);
    std::vector<at::Tensor> wanted;
    for (const auto& target : targets_) wanted.push_back(target.seen(target.wanted(values.at(target.value))));
    return wanted;
  }

  Network source_, student_;
  std::vector<Target> targets_;
  std::vector<double> weights_;  // by target
  std::vector<at::Tensor> source_tensors_, tensors_, trained_;
};

/// Steps of AdamW over the epochs of the data.
class Training {
 public:
  Training(Student& student, const DistillationData& data, double rate)
      : student_(student),
        data_(data),
        optimizer_(student.trained(), torch::optim::AdamWOptions(rate).weight_decay(kWeightDecay)) {}

  void step(double rate) {
    const at::AutoGradMode gradients(true);
    for (auto& group : optimizer_.param_groups())
      static_cast<torch::optim::AdamWOptions&>(group.options()).lr(rate);
    optimizer_.zero_grad();
    student_.loss(next()).backward();
    optimizer_.step();
  }

 private:
  CalibrationBatch next() {
    for (;;) {
      if (!epoch_.batch) epoch_ = data_.training(number_);
      if (auto batch = epoch_.batch(index_++)) return std::move(*batch);
      require(index_ > 1, "refit", "Distillation: at least one batch is required but there is none.");
      epoch_ = {};
      index_ = 0;
      ++number_;
    }
  }

  Student& student_;
  const DistillationData& data_;
  torch::optim::AdamW optimizer_;
  Calibration epoch_ = {};
  int64_t number_ = 0, index_ = 0;
};

class Distiller {
 public:
  Distiller(Student& student, const DistillationData& data, const DistillOptions& options)
      : student_(student), data_(data), options_(options), start_(Clock::now()) {}

  Distilled run() {
    student_.measure_variations(data_.held_out);
    const auto begun = Clock::now();
    const double first = student_.error(data_.held_out);
    validation_seconds_ = seconds_since(begun);
    best_error_ = first;
    best_ = student_.copy();
    const auto given = best_;
    double best_trial = std::numeric_limits<double>::infinity();
    for (const double rate : options_.learning_rates) {
      if (options_.learning_rates.size() > 1) {
        student_.set(given);
        train(rate, kTrialShare * options_.seconds, 1);
      }
      if (options_.learning_rates.size() == 1 || last_error_ < best_trial) {
        best_trial = last_error_;
        result_.learning_rate = rate;
      }
      if (stopped()) break;
    }
    if (!stopped()) {
      student_.set(best_);
      train(result_.learning_rate, options_.seconds - seconds_since(start_), options_.validations);
    }
    student_.set(best_);
    result_.gain = first > 0 ? best_error_ / first : 1;
    result_.seconds = seconds_since(start_);
    report(static_cast<int64_t>(1000 * options_.seconds));
    return result_;
  }

 private:
  bool stopped() const { return options_.stop && options_.stop(); }

  /// Trains for so long, with `validations` on the way, the last at the end.
  void train(double rate, double seconds, int64_t validations) {
    Training training(student_, data_, rate);
    const auto begun = Clock::now();
    // Validations are part of the time, of which they take a third at most.
    const auto possible = static_cast<int64_t>(seconds / 3 / std::max(validation_seconds_, 1e-9));
    validations = std::clamp<int64_t>(validations, 1, std::max<int64_t>(1, possible));
    int64_t failures = 0;
    for (int64_t v = 0; v < validations && failures < options_.patience && !stopped(); ++v) {
      const double end =
          seconds * static_cast<double>(v + 1) / static_cast<double>(validations) - validation_seconds_;
      do {
        const double passed = std::min(1.0, seconds_since(begun) / seconds);
        training.step(rate * (1 + std::cos(std::numbers::pi * passed)) / 2);
        ++result_.steps;
        report(static_cast<int64_t>(1000 * seconds_since(start_)));
      } while (seconds_since(begun) < end && !stopped());
      last_error_ = student_.error(data_.held_out);
      if (last_error_ < best_error_) {  // not if it is not a number
        best_error_ = last_error_;
        best_ = student_.copy();
        failures = 0;
      } else {
        ++failures;
      }
    }
  }

  void report(int64_t done) const {
    const auto all = static_cast<int64_t>(1000 * options_.seconds);
    if (options_.progress)
      options_.progress(std::min(done, all), all, fmt::format("error {:.4g}", best_error_));
  }

  Student& student_;
  const DistillationData& data_;
  const DistillOptions& options_;
  Clock::time_point start_;
  double validation_seconds_ = 0, best_error_ = 0, last_error_ = 0;
  std::vector<at::Tensor> best_;
  Distilled result_;
};

}  // namespace

Distilled distill(Network& resampled, const AnalysedNetwork& source, const std::map<GroupId, GroupMaps>& maps,
                  const DistillationData& data, const DistillOptions& options) {
  require(options.seconds > 0, "refit", "Distillation: the time must be positive but got {} s.",
          options.seconds);
  require(!options.learning_rates.empty(), "refit", "Distillation: a learning rate is required.");
  for (const double rate : options.learning_rates)
    require(rate > 0, "refit", "Distillation: learning rates must be positive but got {}.", rate);
  require(ranks().count == 1, "refit", "Distillation: runs in one process but there are {}.", ranks().count);
  require(data.training != nullptr, "refit", "Distillation: training samples are required but not given.");
  Student student(resampled, source, maps);
  if (!student.has_work()) return {};
  const Distilled result = Distiller(student, data, options).run();
  student.give(resampled);
  return result;
}

}  // namespace inn
