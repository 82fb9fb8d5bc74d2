#include "inn/data_quadrature/kernels.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <limits>
#include <tuple>

#include "inn/calibration/activation_cache.h"
#include "inn/calibration/calibration_run.h"
#include "inn/calibration/hold_out.h"
#include "inn/core/mapped_file.h"
#include "inn/network/value_uses.h"
#include "kernel_meter.h"

namespace inn {
namespace {

// Bytes of kernels that are measured at a time, and matrices of a consumer meanwhile: moments and kernels of both
// parts of the samples, and the Gram matrix.
constexpr int64_t kKernelMemory = int64_t{384} << 20, kMatricesOfKernel = 5;
constexpr int64_t kActivationMemory = int64_t{256} << 20;

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

}  // namespace inn
