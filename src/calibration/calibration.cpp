#include "inn/calibration/calibration.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include <set>

#include "inn/calibration/calibration_run.h"
#include "inn/core/error.h"
#include "inn/core/ranks.h"
#include "inn/dimension/channel_places.h"
#include "inn/dimension/producer_outputs.h"

namespace inn {
namespace {

/// Sums over what has been seen of one group in one value.
struct ActivationSums {
  at::Tensor sum, magnitude, square;  // [width]
  int64_t count = 0;                  // of numbers a channel
};

class ActivationMeter {
 public:
  ActivationMeter(const AnalysedNetwork& source, const std::vector<GroupId>& groups)
      : source_(source),
        produced_(producer_outputs(source, groups)),
        consumers_(find_consumers(source, groups)) {
    for (const auto& [id, values] : produced_)
      for (const auto value : values) groups_of_[value].insert(id);
    for (const auto& [id, consumers] : consumers_)
      for (const auto& consumer : consumers)
        if (!consumer.other) groups_of_[consumer.value].insert(id);
  }

  void observe(ValueId value, const at::Tensor& tensor) {
    const auto found = groups_of_.find(value);
    if (found == groups_of_.end() || !is_inexact(tensor)) return;
    const auto& axes = source_.groups.value_axes.at(static_cast<size_t>(value));
    for (const auto id : found->second) {
      auto& sums = sums_[{id, value}];
      for (size_t d = 0; d < axes.size(); ++d) {
        const auto axis = static_cast<int64_t>(d);
        if (places_of(axes[d], id).empty()) continue;
        const AxisStructure now = axis_of_run(axes[d], tensor.size(axis), source_.network.values[value].name);
        for (const auto& place : places_of(now, id))
          add(rows_at(tensor, axis, place, source_.groups.groups[id].width), sums);
      }
    }
  }

  void sum_over_ranks() {
    for (auto& [key, sums] : sums_) {
      inn::sum_over_ranks(sums.sum);
      inn::sum_over_ranks(sums.magnitude);
      inn::sum_over_ranks(sums.square);
      inn::sum_over_ranks(sums.count);
    }
  }

  void write_to(Measurements& result) const {
    for (const auto& [id, values] : produced_)
      for (const auto value : values)
        if (auto found = statistics(id, value)) result.activations[id].push_back(std::move(*found));
    for (const auto& [id, consumers] : consumers_)
      for (const auto& consumer : consumers)
        if (auto found = consumer.other ? std::nullopt : statistics(id, consumer.value))
          result.consumed[id].push_back({std::move(*found), consumer.weights});
  }

 private:
  std::optional<ActivationStatistics> statistics(GroupId id, ValueId value) const {
    const auto found = sums_.find({id, value});
    if (found == sums_.end() || found->second.count == 0) return std::nullopt;
    const auto& sums = found->second;
    const auto count = static_cast<double>(sums.count);
    return ActivationStatistics{value, sums.sum / count, sums.magnitude / count, sums.square / count};
  }

  static void add(const at::Tensor& rows, ActivationSums& sums) {
    const auto total = [](const at::Tensor& numbers) { return numbers.sum({1}, false, at::kDouble).cpu(); };
    for (const auto& [all, more] : {std::pair(&sums.sum, total(rows)),
                                    {&sums.magnitude, total(rows.abs())},
                                    {&sums.square, total(rows.square())}})
      *all = sums.count == 0 ? more : *all + more;
    sums.count += rows.size(1);
  }

  const AnalysedNetwork& source_;
  std::map<GroupId, std::vector<ValueId>> produced_;
  std::map<GroupId, std::vector<Consumer>> consumers_;
  std::map<ValueId, std::set<GroupId>> groups_of_;
  std::map<std::pair<GroupId, ValueId>, ActivationSums> sums_;
};

/// Gradients in the parameters of some groups, summed over samples.
class GradientMeter {
 public:
  GradientMeter(const Network& network, const Groups& groups, const std::vector<GroupId>& ids)
      : network_(network), tensors_(network.tensors()) {
    std::set<size_t> states;
    for (const auto id : ids)
      for (const auto& member : groups.groups.at(id).members)
        if (network.state[member.state].kind == StateEntry::Kind::parameter &&
            is_inexact(tensors_[member.state]))
          states.insert(member.state);
    for (auto& tensor : tensors_) tensor = tensor.detach();
    for (const auto state : states) {
      tensors_[state].requires_grad_(true);
      states_.push_back(state);
      leaves_.push_back(tensors_[state]);
      sums_.push_back(at::zeros_like(tensors_[state].detach()));
    }
  }

  void add(const CalibrationBatch& batch, const Calibration& calibration, Measured what) {
    if (leaves_.empty()) {
      ++count_;
      return;
    }
    const at::AutoGradMode gradients(true);
    const auto loss = calibration.loss(network_.forward(batch.inputs, tensors_, {}), batch);
    require(loss.dim() <= 1, "calibration",
            "Calibration: the loss must be a scalar or have one value per sample, but has {} axes.",
            loss.dim());
    const int64_t samples = loss.numel();
    if (what == Measured::gradients) {
      accumulate(loss.sum(), false, false);
    } else {
      const auto each = loss.reshape({-1});
      for (int64_t s = 0; s < samples; ++s) accumulate(each[s], true, s + 1 < samples);
    }
    count_ += samples;
  }

  void sum_over_ranks() {
    for (auto& sum : sums_) inn::sum_over_ranks(sum);
    inn::sum_over_ranks(count_);
  }

  /// The means over the samples, by state.
  std::vector<at::Tensor> means() const {
    std::vector<at::Tensor> result(network_.state.size());
    for (size_t k = 0; k < states_.size(); ++k)
      result[states_[k]] = sums_[k] / static_cast<double>(std::max<int64_t>(1, count_));
    return result;
  }

 private:
  void accumulate(const at::Tensor& loss, bool squared, bool again) {
    const auto gradients =
        torch::autograd::grad({loss}, leaves_, {}, again, /*create_graph=*/false, /*allow_unused=*/true);
    const at::NoGradGuard no_grad;
    for (size_t k = 0; k < gradients.size(); ++k)
      if (gradients[k].defined()) sums_[k].add_(squared ? gradients[k].square() : gradients[k]);
  }

  const Network& network_;
  std::vector<at::Tensor> tensors_, leaves_, sums_;
  std::vector<size_t> states_;
  int64_t count_ = 0;
};

}  // namespace

Measurements measure_groups(const AnalysedNetwork& source, const std::vector<GroupId>& groups,
                            const Calibration& calibration, Measured what) {
  Measurements result;
  if (what == Measured::nothing) return result;
  Network network = source.network;  // shares the tensors; only its training flags change
  network.set_training(false);
  if (what == Measured::activations) {
    const at::NoGradGuard no_grad;
    ActivationMeter meter(source, groups);
    for_each_batch(calibration, [&](const CalibrationBatch& batch) {
      network.forward(
          batch.inputs, network.tensors(),
          {.observe = [&](ValueId value, const at::Tensor& tensor) { meter.observe(value, tensor); }});
    });
    meter.sum_over_ranks();
    meter.write_to(result);
    return result;
  }
  require(calibration.loss != nullptr, "calibration", "Calibration: a loss is required but not given.");
  GradientMeter meter(network, source.groups, groups);
  for_each_batch(calibration, [&](const CalibrationBatch& batch) { meter.add(batch, calibration, what); });
  meter.sum_over_ranks();
  (what == Measured::gradients ? result.gradients : result.squared_gradients) = meter.means();
  return result;
}

}  // namespace inn
