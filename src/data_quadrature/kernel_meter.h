#pragma once
// What consumers of groups read, measured in a run over all batches.

#include <ATen/ATen.h>

#include <algorithm>
#include <compare>
#include <map>
#include <vector>

#include "block_nodes.h"
#include "inn/calibration/moments.h"
#include "inn/core/error.h"
#include "inn/data_quadrature/kernels.h"
#include "inn/dimension/channel_places.h"
#include "inn/dimension/consumers.h"
#include "inn/network/batch_norm.h"
#include "inn/network/linear_call.h"
#include "inn/resampling/rows.h"

namespace inn {

// Of wider blocks channels are compared as one; kernels of more features take too long.
constexpr int64_t kMostBlockFeatures = 1024;
constexpr int64_t kRowsOfFeature = 2;  // fewer cannot estimate a kernel between all features
constexpr int64_t kMostHeads = 64;

/// What one consumer is measured by: of the channels of its value as one, of each head by itself, or of whole
/// channels with all their features.
enum class Seen { channels, heads, blocks };

struct Watch {
  GroupId group;
  ValueId value;
  Seen seen;
  int64_t block;  // features of a channel, of blocks
  auto operator<=>(const Watch&) const = default;
};

/// Adds what values hold of the channels of a group, at most `positions` places of each sample.
class Meter {
 public:
  Meter(const AnalysedNetwork& source, const KernelOptions& options) : source_(source), options_(options) {}

  void add(const Watch& watch, const at::Tensor& tensor, int64_t samples, std::vector<Moments>& moments) {
    const int64_t width = source_.groups.groups[watch.group].width;
    for (const auto& [axis, place] : places(watch.value, watch.group, tensor)) {
      if (watch.seen == Seen::heads && is_split(tensor, axis, samples)) {
        add_heads(tensor, axis, place, samples, width, moments);
        continue;
      }
      at::Tensor rows = rows_at(tensor, axis, place, width);
      if (watch.seen == Seen::blocks) rows = rows.reshape({width * watch.block, -1});
      moments[0].add(sampled(rows, samples));
    }
  }

  /// Rows of a sample, of which some are added.
  int64_t rows_of(const Watch& watch, const at::Tensor& tensor, int64_t samples) const {
    int64_t rows = 0;
    for (const auto& [axis, place] : places(watch.value, watch.group, tensor))
      rows += tensor.numel() / tensor.size(axis) * place.outer * place.inner / (watch.block * samples);
    return rows;
  }

  /// Features of a channel in a value that has its group in one place of one axis, whole; else 1.
  int64_t block_of(ValueId value, GroupId group) const {
    int64_t count = 0, block = 1;
    for (const auto& axis : source_.groups.value_axes.at(static_cast<size_t>(value)))
      for (const auto& place : places_of(axis, group)) {
        ++count;
        const int64_t features = place.outer * place.inner;
        if (features * source_.groups.groups[group].width == axis.size) block = features;
      }
    return count == 1 ? block : 1;
  }

 private:
  std::vector<std::pair<int64_t, ChannelPlace>> places(ValueId value, GroupId group,
                                                       const at::Tensor& tensor) const {
    std::vector<std::pair<int64_t, ChannelPlace>> result;
    const auto& axes = source_.groups.value_axes.at(static_cast<size_t>(value));
    for (size_t d = 0; d < axes.size(); ++d) {
      const auto axis = static_cast<int64_t>(d);
      if (places_of(axes[d], group).empty()) continue;
      const AxisStructure now = axis_of_run(axes[d], tensor.size(axis), source_.network.values[value].name);
      for (const auto& place : places_of(now, group)) result.emplace_back(axis, place);
    }
    return result;
  }

  /// Whether axes before the last two are samples and heads.
  static bool is_split(const at::Tensor& tensor, int64_t axis, int64_t samples) {
    if (tensor.dim() < 3 || axis < tensor.dim() - 2) return false;
    const int64_t matrices = tensor.numel() / (tensor.size(-1) * tensor.size(-2));
    return matrices % samples == 0 && matrices / samples <= kMostHeads;
  }

  void add_heads(const at::Tensor& tensor, int64_t axis, const ChannelPlace& place, int64_t samples,
                 int64_t width, std::vector<Moments>& moments) {
    const at::Tensor matrices = tensor.reshape({samples, -1, tensor.size(-2), tensor.size(-1)});
    moments.resize(std::max(moments.size(), static_cast<size_t>(matrices.size(1))));
    for (int64_t head = 0; head < matrices.size(1); ++head)
      moments[static_cast<size_t>(head)].add(
          sampled(rows_at(matrices.select(1, head), axis - tensor.dim() + 3, place, width), samples));
  }

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

/// The consumers' kernels of a run over all batches.
class KernelMeter {
 public:
  KernelMeter(const AnalysedNetwork& source, const std::vector<GroupId>& groups, const KernelOptions& options)
      : source_(source),
        uses_(source.network),
        meter_(source, options),
        consumers_(find_consumers(source, groups)) {
    for (const auto& [group, list] : consumers_)
      for (const auto& consumer : list) {
        watch(watch_of(group, consumer, consumer.value));
        if (consumer.other) watch(watch_of(group, consumer, *consumer.other));
      }
  }

  void observe(ValueId value, const at::Tensor& tensor, int64_t samples) {
    const auto found = watched_.find(value);
    if (found == watched_.end() || !tensor.is_floating_point()) return;
    for (const auto& each : found->second) meter_.add(each, tensor, samples, moments_[each]);
  }

  std::vector<ValueId> watched_values() const {
    std::vector<ValueId> values;
    for (const auto& [value, watches] : watched_) values.push_back(value);
    return values;
  }

  bool watches(ValueId value) const { return watched_.contains(value); }

  /// The same for the gradient of a random projection of the outputs at the value.
  void observe_gradient(ValueId value, const at::Tensor& gradient, int64_t samples) {
    for (const auto& each : watched_.at(value)) {
      meter_.add(each, gradient, samples, gradients_.try_emplace(each, 1).first->second);
      rows_[each] = meter_.rows_of(each, gradient, samples);
    }
  }

  void sum_over_ranks() {
    for (auto* all : {&moments_, &gradients_})
      for (auto& [watch, list] : *all)
        for (auto& moments : list)
          if (moments.any()) moments.sum_over_ranks();
  }

  /// Kernels weighted by the gradients.
  std::map<GroupId, std::vector<ConsumerKernel>> output_kernels() const {
    std::map<GroupId, std::vector<ConsumerKernel>> result;
    for (const auto& [group, list] : consumers_)
      for (const auto& consumer : list) {
        add_output(group, watch_of(group, consumer, consumer.value), consumer, result);
        if (consumer.other) add_output(group, watch_of(group, consumer, *consumer.other), consumer, result);
      }
    return result;
  }

  std::map<GroupId, std::vector<ConsumerKernel>> kernels() const {
    std::map<GroupId, std::vector<ConsumerKernel>> result;
    for (const auto& [group, list] : consumers_)
      for (const auto& consumer : list) add(group, consumer, result);
    for (const auto& [group, kernels] : result)
      for (const auto& kernel : kernels)
        require<std::runtime_error>(at::isfinite(kernel.kernel).all().item<bool>(), "data_quadrature",
                                    "Group '{}': its activations must be finite.",
                                    source_.groups.groups[group].name);
    return result;
  }

 private:
  Watch watch_of(GroupId group, const Consumer& consumer, ValueId value) const {
    if (consumer.other) return {group, value, Seen::heads, 1};
    const int64_t block = meter_.block_of(value, group), width = source_.groups.groups[group].width;
    bool fits = block > 1 && block * width <= kMostBlockFeatures;
    for (const auto& member : consumer.weights) fits = fits && member.outer * member.inner == block;
    return fits ? Watch{group, value, Seen::blocks, block} : Watch{group, value, Seen::channels, 1};
  }

  void watch(const Watch& each) {
    if (moments_.try_emplace(each, 1).second) watched_[each.value].push_back(each);
  }

  void add(GroupId group, const Consumer& consumer,
           std::map<GroupId, std::vector<ConsumerKernel>>& result) const {
    const auto& seen = moments_.at(watch_of(group, consumer, consumer.value));
    if (!seen[0].any()) return;
    if (consumer.other) {
      const auto& other = moments_.at(watch_of(group, consumer, *consumer.other));
      for (size_t head = 0; head < std::min(seen.size(), other.size()); ++head)
        result[group].push_back({seen[head].second(), other[head].second()});
      return;
    }
    const int64_t width = source_.groups.groups[group].width,
                  block = watch_of(group, consumer, consumer.value).block;
    const at::Tensor gram = at::zeros({width * block, width * block}, at::kDouble);
    for (const auto& member : consumer.weights)
      add_gram(
          gram,
          member_rows(source_.network, member, width).to(at::kCPU, at::kDouble).reshape({width * block, -1}));
    ConsumerKernel kernel{absorbs_mean(consumer.call) ? seen[0].centered() : seen[0].second(), gram, block};
    if (seen[0].count() < kRowsOfFeature * width * block) kernel = between_channels({kernel})[0];
    result[group].push_back(std::move(kernel));
  }

  void add_output(GroupId group, const Watch& watch, const Consumer& consumer,
                  std::map<GroupId, std::vector<ConsumerKernel>>& result) const {
    const auto& seen = moments_.at(watch);
    const auto gradients = gradients_.find(watch);
    if (gradients == gradients_.end()) return;  // the outputs do not depend on it
    for (size_t head = 0; head < std::min(seen.size(), gradients->second.size()); ++head) {
      if (!seen[head].any() || !gradients->second[head].any()) continue;
      const bool centered = !consumer.other && absorbs_mean(consumer.call);
      ConsumerKernel kernel{centered ? seen[head].centered() : seen[head].second(),
                            gradients->second[head].second() * static_cast<double>(rows_.at(watch)) /
                                static_cast<double>(seen.size()),
                            watch.block};
      kernel.weight = (kernel.kernel * kernel.gram).sum().item<double>();
      result[group].push_back(std::move(kernel));
    }
  }

  /// Whether the call, or a batch norm behind it, has a bias.
  bool absorbs_mean(size_t index) const {
    const auto found = linear_call(source_.network, uses_, index);
    const auto* linear = std::get_if<LinearCall>(&found);
    if (linear == nullptr || linear->bias) return true;
    const auto& readers = uses_.readers(linear->output);
    return std::any_of(readers.begin(), readers.end(), [&](size_t reader) {
      const auto norm = batch_norm_call(source_.network.calls[reader]);
      return norm && norm->input.is_value() && norm->input.value() == linear->output;
    });
  }

  const AnalysedNetwork& source_;
  ValueUses uses_;
  Meter meter_;
  std::map<GroupId, std::vector<Consumer>> consumers_;
  std::map<Watch, std::vector<Moments>> moments_;  // of heads: one each
  std::map<Watch, std::vector<Moments>> gradients_;
  std::map<Watch, int64_t> rows_;  // of a sample
  std::map<ValueId, std::vector<Watch>> watched_;
};

}  // namespace inn
