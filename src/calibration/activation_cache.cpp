#include "inn/calibration/activation_cache.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "inn/calibration/calibration_run.h"
#include "inn/core/error.h"
#include "inn/core/mapped_file.h"
#include "inn/core/ranks.h"
#include "inn/network/functionalize.h"
#include "inn/network/subgraph.h"
#include "inn/network/value_uses.h"

namespace inn {
ActivationCache::ActivationCache(const Network& given, const Calibration& calibration, int64_t memory)
    : network(given), calibration_(calibration), memory_(memory) {
  network.set_training(false);
  auto plain = functionalize(network);
  can_hold_ = plain.has_value();
  if (plain) network = std::move(*plain);
  use_fastest_layout(network);
  std::vector<int64_t> symbols;
  for (const auto& symbol : network.symbols) symbols.push_back(symbol.value);
  require(calibration.batch != nullptr, "calibration", "Calibration: batches are required but not given.");
  for (auto batch = calibration.batch(0); batch; batch = calibration.batch(batches())) {
    require(!batch->inputs.empty() && batch->inputs[0].isTensor() && batch->inputs[0].toTensor().dim() > 0,
            "calibration", "Calibration: the first input of batch {} must be a tensor.", batches());
    symbols_.push_back(symbols);
    samples_.push_back(batch->inputs[0].toTensor().size(0));
  }
  require(!symbols_.empty(), "calibration", "Calibration: at least one batch is required but there is none.");
  all_samples_ = std::accumulate(samples_.begin(), samples_.end(), int64_t{0});
  samples_before_ = sum_of_ranks_before(all_samples_);
  sum_over_ranks(all_samples_);
}

std::vector<c10::IValue> ActivationCache::run_part(const Network& part, int64_t batch,
                                                   std::span<const at::Tensor> tensors) {
  const auto index = static_cast<size_t>(batch);
  std::vector<c10::IValue> inputs;
  std::optional<CalibrationBatch> asked;
  if (position_ == 0) asked = calibration_.batch(batch);
  const auto& have = position_ == 0 ? network.inputs : held_values_;
  for (const auto id : part.inputs) {
    const auto found = std::find(have.begin(), have.end(), id);
    require<std::logic_error>(found != have.end(), "calibration", "Value '{}': is not cached.",
                              network.values[static_cast<size_t>(id)].name);
    const auto place = static_cast<size_t>(found - have.begin());
    inputs.push_back(position_ == 0 ? asked->inputs.at(place) : held_[index].at(place));
  }
  std::map<ValueId, std::vector<size_t>> sources;
  for (size_t s = 0; s < network.symbols.size(); ++s)
    if (const auto& source = network.symbols[s].source) sources[source->value].push_back(s);
  Network::ForwardOptions options{.symbol_values = symbols_[index]};
  std::vector<int64_t> seen = symbols_[index];
  if (!sources.empty())
    options.observe = [&](ValueId id, const at::Tensor& tensor) {
      if (const auto found = sources.find(id); found != sources.end())
        for (const auto s : found->second) seen[s] = tensor.size(network.symbols[s].source->axis);
    };
  auto results = part.forward(inputs, tensors, options);
  symbols_[index] = std::move(seen);
  return results;
}

std::vector<c10::IValue> ActivationCache::run(int64_t batch, std::span<const ValueId> wanted) {
  const at::NoGradGuard no_grad;
  return run(batch, wanted, network.tensors());
}

std::vector<c10::IValue> ActivationCache::run(int64_t batch, std::span<const ValueId> wanted,
                                              std::span<const at::Tensor> tensors) {
  if (!has_part_ || !std::equal(wanted.begin(), wanted.end(), part_wanted_.begin(), part_wanted_.end())) {
    part_ = subgraph(network, position_, wanted);
    part_wanted_.assign(wanted.begin(), wanted.end());
    has_part_ = true;
  }
  return run_part(part_, batch, tensors);
}

std::vector<ValueId> ActivationCache::live_at(size_t position) const {
  std::vector<bool> defined(network.values.size(), false), seen = defined;
  const auto define = [&](ValueId id) { defined[static_cast<size_t>(id)] = true; };
  std::for_each(network.inputs.begin(), network.inputs.end(), define);
  for (size_t c = 0; c < position; ++c)
    for (const auto& result : network.calls[c].results)
      std::for_each(result.values.begin(), result.values.end(), define);
  std::vector<ValueId> live;
  const auto add = [&](ValueId id) {
    const auto place = static_cast<size_t>(id);
    if (!defined[place] || seen[place]) return;
    seen[place] = true;
    live.push_back(id);
  };
  for (size_t c = position; c < network.calls.size(); ++c)
    for (const auto& argument : network.calls[c].arguments) argument.for_each_value(add);
  for (const auto& output : network.outputs) output.for_each_value(add);
  std::sort(live.begin(), live.end());
  return live;
}

std::vector<ValueId> ActivationCache::symbols_made(size_t from, size_t to) const {
  std::vector<ValueId> values;
  for (const auto& symbol : network.symbols) {
    if (!symbol.source) continue;
    const auto makes = [&](const Call& call) {
      return std::any_of(call.results.begin(), call.results.end(), [&](const auto& result) {
        return std::find(result.values.begin(), result.values.end(), symbol.source->value) !=
               result.values.end();
      });
    };
    const auto begin = network.calls.begin();
    if (std::any_of(begin + static_cast<int64_t>(from), begin + static_cast<int64_t>(to), makes))
      values.push_back(symbol.source->value);
  }
  return values;
}

void ActivationCache::advance(size_t position) {
  if (can_hold_ && position > position_) advance(position, {}, nullptr);
}

void ActivationCache::advance(size_t position, std::span<const ValueId> wanted, const Visit& visit) {
  const at::NoGradGuard no_grad;
  if (!can_hold_ || position <= position_) {
    for (int64_t b = 0; b < batches(); ++b) visit(b, run(b, wanted));
    return;
  }
  // Sizes are found where they first appear, also those that only later calls need.
  const auto live = live_at(position), sizes = symbols_made(position_, position);
  std::vector<ValueId> values(wanted.begin(), wanted.end());
  values.insert(values.end(), live.begin(), live.end());
  values.insert(values.end(), sizes.begin(), sizes.end());
  const Network part = subgraph(network, position_, values);
  const auto tensors = network.tensors();
  std::vector<std::vector<c10::IValue>> held;
  int64_t bytes = 0;
  for (int64_t b = 0; b < batches(); ++b) {
    if (bytes > memory_) {  // what is held stays as it is
      if (!visit) return;
      visit(b, run(b, wanted));
      continue;
    }
    auto results = run_part(part, b, tensors);
    if (visit) visit(b, {results.begin(), results.begin() + static_cast<int64_t>(wanted.size())});
    results.erase(results.begin(), results.begin() + static_cast<int64_t>(wanted.size()));
    results.resize(live.size());
    for (const auto& value : results)
      if (value.isTensor() && value.toTensor().defined())
        bytes += static_cast<int64_t>(value.toTensor().nbytes());
    if (bytes > memory_)
      held.clear();
    else
      held.push_back(std::move(results));
  }
  if (bytes > memory_) return;
  release_weights(position_, position);
  held_ = std::move(held);
  held_values_ = live;
  position_ = position;
  has_part_ = false;
}

void ActivationCache::release_weights(size_t from, size_t to) const {
  const ValueUses uses(network);
  for (const auto& entry : network.state) {
    const auto& readers = uses.readers(entry.value);
    if (!readers.empty() && readers.front() >= from && readers.back() < to) release_pages(entry.tensor);
  }
}

}  // namespace inn
