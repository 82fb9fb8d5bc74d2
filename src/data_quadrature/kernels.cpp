#include "inn/data_quadrature/kernels.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>

#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <compare>
#include <limits>
#include <tuple>

#include "block_nodes.h"
#include "inn/calibration/activation_cache.h"
#include "inn/calibration/calibration_run.h"
#include "inn/calibration/hold_out.h"
#include "inn/calibration/moments.h"
#include "inn/core/error.h"
#include "inn/core/mapped_file.h"
#include "inn/core/ranks.h"
#include "inn/dimension/channel_places.h"
#include "inn/dimension/consumers.h"
#include "inn/network/batch_norm.h"
#include "inn/network/functionalize.h"
#include "inn/network/linear_call.h"
#include "inn/resampling/rows.h"

namespace inn {
namespace {

// Of wider blocks channels are compared as one; kernels of more features take too long.
constexpr int64_t kMostBlockFeatures = 1024;
constexpr int64_t kRowsOfFeature = 2;
// Bytes of kernels that are measured at a time, and matrices of a consumer meanwhile: moments and kernels of both
// parts of the samples, and the Gram matrix.
constexpr int64_t kKernelMemory = int64_t{384} << 20, kMatricesOfKernel = 5;
constexpr int64_t kActivationMemory = int64_t{256} << 20;
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
    // Too few rows cannot estimate a kernel between so many features.
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

}  // namespace

std::map<GroupId, std::vector<ConsumerKernel>> measure_kernels(const AnalysedNetwork& source,
                                                               const std::vector<GroupId>& groups,
                                                               const Calibration& calibration,
                                                               const KernelOptions& options) {
  const at::NoGradGuard no_grad;
  KernelMeter meter(source, groups, options);
  observe_values(source.network, calibration, [&](ValueId value, const at::Tensor& tensor, int64_t samples) {
    meter.observe(value, tensor, samples);
  });
  meter.sum_over_ranks();
  return meter.kernels();
}

namespace {

/// The variation of each floating-point output, a sample.
class Variations {
 public:
  void add(const std::vector<at::Tensor>& outputs, int64_t samples) {
    sums_.resize(outputs.size());
    for (size_t k = 0; k < outputs.size(); ++k) {
      sums_[k].sum += outputs[k].sum(at::kDouble).item<double>();
      sums_[k].square += outputs[k].to(at::kDouble).square().sum().item<double>();
      sums_[k].count += static_cast<double>(outputs[k].numel());
    }
    samples_ += static_cast<double>(samples);
  }

  std::vector<double> of_sample() {
    inn::sum_over_ranks(samples_);
    std::vector<double> result;
    for (auto& [sum, square, count] : sums_) {
      for (auto* number : {&sum, &square, &count}) inn::sum_over_ranks(*number);
      result.push_back(
          std::max(square - sum * sum / std::max(count, 1.0), std::numeric_limits<double>::min()) / samples_);
    }
    return result;
  }

 private:
  struct Sums {
    double sum = 0, square = 0, count = 0;
  };
  std::vector<Sums> sums_;
  double samples_ = 0;
};

std::vector<at::Tensor> floating(const std::vector<c10::IValue>& values) {
  std::vector<at::Tensor> result;
  for (const auto& value : values)
    if (value.isTensor() && value.toTensor().is_floating_point()) result.push_back(value.toTensor());
  require(!result.empty(), "data_quadrature", "The network must return a floating-point tensor to compare.");
  return result;
}

/// Normal noise like the value, drawn for each sample by its own number, whichever batch and rank it is in.
at::Tensor noise_like(const at::Tensor& value, int64_t first, int64_t samples, uint64_t seed) {
  at::Tensor noise = at::empty(value.sizes(), value.options());
  const int64_t parts = value.dim() > 0 && value.size(0) % samples == 0 ? samples : 1;
  const auto rows = noise.view({parts, -1});
  for (int64_t k = 0; k < parts; ++k) {
    auto generator = at::make_generator<at::CPUGeneratorImpl>(seed + static_cast<uint64_t>(first + k));
    rows[k].copy_(at::randn({rows.size(1)}, generator));
  }
  return noise;
}

/// A group with the first call whose value is measured for it.
struct Place {
  size_t call;
  GroupId group;
  int64_t bytes;  // of its kernels, while they are measured

  friend bool operator<(const Place& a, const Place& b) {
    return std::tie(a.call, a.group) < std::tie(b.call, b.group);
  }
};

std::vector<Place> places_of_groups(const AnalysedNetwork& source, const std::vector<GroupId>& groups) {
  const ValueUses uses(source.network);
  std::vector<Place> places;
  for (const auto& [group, consumers] : find_consumers(source, groups)) {
    if (consumers.empty()) continue;
    Place place{std::numeric_limits<size_t>::max(), group, 0};
    const int64_t width = source.groups.groups[group].width;
    for (const auto& consumer : consumers) {
      for (const auto value : {consumer.value, consumer.other.value_or(consumer.value)})
        place.call = std::min(place.call, uses.producer(value).value_or(0));
      int64_t block = 1;
      for (const auto& member : consumer.weights) block = std::max(block, member.outer * member.inner);
      const int64_t size = width * block <= kMostBlockFeatures ? width * block : width;
      place.bytes += kMatricesOfKernel * size * size * static_cast<int64_t>(sizeof(double));
    }
    places.push_back(place);
  }
  std::sort(places.begin(), places.end());
  return places;
}

/// Of a value, the samples held out or the others; all of one that has no axis of samples.
at::Tensor samples_of(const at::Tensor& value, int64_t samples, const at::Tensor& chosen) {
  if (value.dim() == 0 || value.size(0) % samples != 0) return value;
  const int64_t each = value.size(0) / samples;
  const at::Tensor index = each == 1 ? chosen : (chosen.unsqueeze(1) * each + at::arange(each)).flatten();
  return value.index_select(0, index.to(value.device()));
}

/// The kernels of some groups in one pass over the batches, after which the cache stands before call `next`.
std::pair<std::map<GroupId, std::vector<ConsumerKernel>>, std::map<GroupId, std::vector<ConsumerKernel>>>
split_kernels(const AnalysedNetwork& source, const std::vector<GroupId>& groups, ActivationCache& cache,
              size_t next, const KernelOptions& options, int64_t held_out_every) {
  KernelMeter rest(source, groups, options), held_out(source, groups, options);
  const auto wanted = rest.watched_values();
  const HeldOut validation(held_out_every, cache.samples());
  int64_t first = cache.samples_of_ranks_before();
  cache.advance(next, wanted, [&](int64_t batch, const std::vector<c10::IValue>& values) {
    const int64_t samples = cache.samples(batch);
    const at::Tensor is_held = validation.of(first, samples);
    const auto add = [&](KernelMeter& meter, const at::Tensor& mask) {
      const at::Tensor chosen = mask.nonzero().flatten();
      if (chosen.numel() == 0) return;
      for (size_t k = 0; k < wanted.size(); ++k)
        if (values[k].isTensor())
          meter.observe(wanted[k], samples_of(values[k].toTensor(), samples, chosen), chosen.numel());
    };
    add(rest, is_held.logical_not());
    add(held_out, is_held);
    first += samples;
  });
  rest.sum_over_ranks();
  held_out.sum_over_ranks();
  return {rest.kernels(), held_out.kernels()};
}

}  // namespace

void measure_split_kernels(const AnalysedNetwork& source, const std::vector<GroupId>& groups,
                           const Calibration& calibration, const KernelOptions& options,
                           int64_t held_out_every, const std::function<void(GroupId, SplitKernels)>& visit) {
  const at::NoGradGuard no_grad;
  ActivationCache cache(source.network, calibration, kActivationMemory);
  const auto places = places_of_groups(source, groups);
  if (!places.empty()) cache.advance(places[0].call);
  for (size_t begin = 0; begin < places.size();) {
    size_t end = begin;
    int64_t bytes = 0;
    std::vector<GroupId> part;
    while (end < places.size() && (end == begin || bytes + places[end].bytes <= kKernelMemory)) {
      bytes += places[end].bytes;
      part.push_back(places[end++].group);
    }
    const size_t next = end < places.size() ? places[end].call : places[begin].call;
    auto [rest, held_out] = split_kernels(source, part, cache, next, options, held_out_every);
    for (auto& [group, kernels] : rest) {
      SplitKernels of{std::move(kernels), {}};
      if (const auto found = held_out.find(group);
          found != held_out.end() && found->second.size() == of.rest.size())
        of.held_out = std::move(found->second);
      visit(group, std::move(of));
    }
    rest.clear();
    held_out.clear();
    release_free_memory();
    begin = end;
  }
}

std::map<GroupId, std::vector<ConsumerKernel>> measure_output_kernels(const AnalysedNetwork& source,
                                                                      const std::vector<GroupId>& groups,
                                                                      const Calibration& calibration,
                                                                      const KernelOptions& options) {
  KernelMeter meter(source, groups, options);
  Network network = source.network;
  network.set_training(false);
  if (auto plain = functionalize(network)) network = std::move(*plain);
  use_fastest_layout(network);
  std::vector<at::Tensor> tensors = network.tensors();
  Variations variations;
  int64_t first = 0;
  {
    const at::NoGradGuard no_grad;
    for_each_batch(calibration, [&](const CalibrationBatch& batch) {
      const int64_t samples = batch.inputs.at(0).toTensor().size(0);
      const auto observe = [&](ValueId value, const at::Tensor& tensor) {
        meter.observe(value, tensor, samples);
      };
      variations.add(floating(network.forward(batch.inputs, tensors, {.observe = observe})), samples);
      first += samples;
    });
  }
  first = sum_of_ranks_before(first);
  const auto variation = variations.of_sample();
  for (size_t s = 0; s < tensors.size(); ++s)
    tensors[s] = tensors[s].detach().requires_grad_(network.state[s].kind == StateEntry::Kind::parameter &&
                                                    tensors[s].is_floating_point());
  for_each_batch(calibration, [&](const CalibrationBatch& batch) {
    const at::AutoGradMode gradients(true);
    const int64_t samples = batch.inputs.at(0).toTensor().size(0);
    std::vector<ValueId> values;
    std::vector<at::Tensor> watched, reached, vectors;
    const auto observe = [&](ValueId value, const at::Tensor& tensor) {
      if (!meter.watches(value) || !tensor.requires_grad()) return;
      values.push_back(value);
      watched.push_back(tensor);
    };
    const auto outputs = floating(network.forward(batch.inputs, tensors, {.observe = observe}));
    for (size_t k = 0; k < outputs.size(); ++k) {
      if (!outputs[k].requires_grad()) continue;
      reached.push_back(outputs[k]);
      vectors.push_back(noise_like(outputs[k].detach(), first, samples, options.seed) /
                        std::sqrt(variation[k]));
    }
    first += samples;
    if (reached.empty() || watched.empty()) return;
    const auto found =
        torch::autograd::grad(reached, watched, vectors, std::nullopt, false, /*allow_unused=*/true);
    const at::NoGradGuard no_grad;
    for (size_t k = 0; k < found.size(); ++k)
      if (found[k].defined()) meter.observe_gradient(values[k], found[k], samples);
  });
  meter.sum_over_ranks();
  return meter.output_kernels();
}

}  // namespace inn
