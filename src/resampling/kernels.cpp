#include "inn/resampling/kernels.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <set>

#include "inn/core/error.h"
#include "inn/resampling/rows.h"
#include "resampling/places.h"
#include "resampling/refit/linear_call.h"

namespace inn {
namespace {

/// Walks the calls, and notes which read activations and consuming weights of one group.
class ConsumerSearch {
 public:
  ConsumerSearch(const AnalysedNetwork& source, const std::vector<GroupId>& groups)
      : source_(source), depends_(source.network.values.size(), false) {
    for (const auto input : source.network.inputs) depends_[static_cast<size_t>(input)] = true;
    for (const auto id : groups) {
      found_[id];
      for (const auto& member : source.groups.groups.at(id).members)
        if (member.role == Role::consume)
          carried_[source.network.state[member.state].value][id].push_back(member);
    }
  }

  std::map<GroupId, std::vector<Consumer>> find() {
    for (size_t c = 0; c < source_.network.calls.size(); ++c) visit(c);
    return std::move(found_);
  }

 private:
  void visit(size_t index) {
    const auto& call = source_.network.calls[index];
    std::vector<ValueId> activations;
    std::map<GroupId, std::vector<Member>> weights;
    for (const auto& argument : call.arguments)
      argument.for_each_value([&](ValueId id) {
        if (depends_[static_cast<size_t>(id)]) activations.push_back(id);
        if (const auto found = carried_.find(id); found != carried_.end())
          for (const auto& [group, members] : found->second)
            weights[group].insert(weights[group].end(), members.begin(), members.end());
      });
    const bool depends = !activations.empty();
    for (const auto& result : call.results)
      for (const auto value : result.values) {
        depends_[static_cast<size_t>(value)] = depends;
        if (!depends && !weights.empty()) carried_[value] = weights;
      }
    if (!depends) return;
    for (auto& [group, consumers] : found_) {
      std::vector<ValueId> with_group;
      for (const auto id : activations)
        if (has(id, group)) with_group.push_back(id);
      if (with_group.empty()) continue;
      if (const auto found = weights.find(group); found != weights.end()) {
        consumers.push_back({index, with_group[0], found->second, {}});
      } else if (with_group.size() >= 2 && with_group[0] != with_group[1] && !results_have(call, group)) {
        consumers.push_back({index, with_group[1], {}, with_group[0]});
      }
    }
  }

  bool has(ValueId value, GroupId group) const {
    for (const auto& axis : source_.groups.value_axes.at(static_cast<size_t>(value)))
      if (!places_of(axis, group).empty()) return true;
    return false;
  }

  bool results_have(const Call& call, GroupId group) const {
    for (const auto& result : call.results)
      for (const auto value : result.values)
        if (has(value, group)) return true;
    return false;
  }

  const AnalysedNetwork& source_;
  std::vector<bool> depends_;  // on the inputs, by value
  std::map<ValueId, std::map<GroupId, std::vector<Member>>> carried_;
  std::map<GroupId, std::vector<Consumer>> found_;
};

/// Moments of the channels in one value.
class Moments {
 public:
  /// rows: [n, columns]
  void add(const at::Tensor& rows) {
    const at::Tensor a = rows.to(at::kCPU, at::kDouble);
    const at::Tensor product = at::mm(a, a.t()), sum = a.sum(1);
    square_ = square_.defined() ? square_ + product : product;
    sum_ = sum_.defined() ? sum_ + sum : sum;
    count_ += a.size(1);
  }
  bool any() const { return count_ > 0; }
  at::Tensor second() const { return square_ / static_cast<double>(count_); }
  at::Tensor centered() const {
    const at::Tensor mean = sum_ / static_cast<double>(count_);
    return second() - at::outer(mean, mean);
  }

 private:
  at::Tensor square_, sum_;
  int64_t count_ = 0;
};

/// Adds what `value` holds of each channel of `group`, at most `positions` places of each sample.
class Meter {
 public:
  Meter(const AnalysedNetwork& source, const KernelOptions& options) : source_(source), options_(options) {}

  void add(ValueId value, GroupId group, const at::Tensor& tensor, int64_t samples, Moments& moments) {
    const auto& axes = source_.groups.value_axes.at(static_cast<size_t>(value));
    for (size_t d = 0; d < axes.size(); ++d) {
      const auto axis = static_cast<int64_t>(d);
      if (places_of(axes[d], group).empty()) continue;
      const Axis now = axis_of_run(axes[d], tensor.size(axis), source_.network.values[value].name);
      for (const auto& place : places_of(now, group)) {
        const auto rows = rows_at(tensor, axis, place, source_.groups.groups[group].width);
        moments.add(sampled(rows, samples));
      }
    }
  }

 private:
  at::Tensor sampled(const at::Tensor& rows, int64_t samples) {
    const int64_t each = rows.size(1) / samples;
    if (each <= options_.positions || rows.size(1) % samples != 0) return rows;
    auto& chosen = chosen_[each];
    if (!chosen.defined()) chosen = chosen_positions(each, {options_.positions, options_.seed});
    return rows.view({rows.size(0), samples, each}).index_select(2, chosen.to(rows.device())).flatten(1);
  }

  const AnalysedNetwork& source_;
  const KernelOptions& options_;
  std::map<int64_t, at::Tensor> chosen_;  // by positions of a sample
};

}  // namespace

std::map<GroupId, std::vector<Consumer>> find_consumers(const AnalysedNetwork& source,
                                                        const std::vector<GroupId>& groups) {
  return ConsumerSearch(source, groups).find();
}

std::map<GroupId, std::vector<ConsumerKernel>> measure_kernels(const AnalysedNetwork& source,
                                                               const std::vector<GroupId>& groups,
                                                               const Calibration& calibration,
                                                               const KernelOptions& options) {
  require(calibration.batch != nullptr, "resampling", "Calibration: batches are needed but not given.");
  const at::NoGradGuard no_grad;
  const auto consumers = find_consumers(source, groups);
  std::map<std::pair<GroupId, ValueId>, Moments> moments;
  std::map<ValueId, std::vector<GroupId>> watched;
  for (const auto& [group, list] : consumers)
    for (const auto& consumer : list)
      for (const auto value : {std::optional(consumer.value), consumer.other})
        if (value && moments.try_emplace({group, *value}).second) watched[*value].push_back(group);
  Network network = source.network;
  network.set_training(false);
  Meter meter(source, options);
  int64_t index = 0;
  for (auto batch = calibration.batch(0); batch; batch = calibration.batch(++index)) {
    const int64_t samples = batch->inputs.at(0).toTensor().size(0);
    const auto observe = [&](ValueId value, const at::Tensor& tensor) {
      const auto found = watched.find(value);
      if (found == watched.end() || !tensor.is_floating_point()) return;
      for (const auto group : found->second)
        meter.add(value, group, tensor, samples, moments[{group, value}]);
    };
    network.forward(batch->inputs, network.tensors(), {.observe = observe});
  }
  require(index > 0, "resampling", "Calibration: at least one batch is needed but there is none.");

  std::map<GroupId, std::vector<ConsumerKernel>> result;
  for (const auto& [group, list] : consumers)
    for (const auto& consumer : list) {
      const auto& seen = moments[{group, consumer.value}];
      if (!seen.any()) continue;
      if (consumer.other) {
        result[group].push_back({seen.second(), moments[{group, *consumer.other}].second()});
        continue;
      }
      at::Tensor gram;
      for (const auto& member : consumer.weights) {
        const auto rows =
            member_rows(source.network, member, source.groups.groups[group].width).to(at::kCPU, at::kDouble);
        const auto product = at::mm(rows, rows.t());
        gram = gram.defined() ? gram + product : product;
      }
      result[group].push_back({seen.centered(), gram});
    }
  for (const auto& [group, kernels] : result)
    for (const auto& kernel : kernels)
      require<std::runtime_error>(at::isfinite(kernel.kernel).all().item<bool>(), "resampling",
                                  "Group '{}': its activations are not finite.",
                                  source.groups.groups[group].name);
  return result;
}

}  // namespace inn
