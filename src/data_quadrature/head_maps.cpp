#include "inn/data_quadrature/head_maps.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <stdexcept>
#include <vector>

#include "head_sites.h"
#include "inn/calibration/calibration_run.h"
#include "inn/calibration/moments.h"
#include "inn/dimension/channel_places.h"
#include "inverse.h"

namespace inn {
namespace {

using AxisOfState = std::pair<size_t, int64_t>;

constexpr double kHeadRidge = 1e-6;    // of the mean of a kernel's diagonal
constexpr double kRidgeOfFew = 1e-2;   // where there are few rows
constexpr int64_t kMostInputs = 2048;  // of a map whose inputs are solved for as a whole
constexpr int64_t kRowsOfInput = 8;    // fewer rows say too little of them

/// Symmetric square roots of K, and the m directions of K^{1/2}·M·K^{1/2} that hold most.
struct Mixing {
  at::Tensor keep;  // Vₘᵀ·K^{−1/2}, scaled to the size of what it is applied to, [m, n]
  at::Tensor give;  // Vₘᵀ·K^{1/2}, scaled back, [m, n]
};

Mixing mixing_of(const at::Tensor& kernel, const at::Tensor& gram, int64_t count) {
  const double mean = std::max(kernel.diagonal().mean().item<double>(), std::numeric_limits<double>::min());
  const auto [values, vectors] = at::linalg_eigh(kernel);
  const at::Tensor root = values.clamp_min(kHeadRidge * mean).sqrt();
  const at::Tensor half = at::mm(vectors * root, vectors.t()), back = at::mm(vectors / root, vectors.t());
  const at::Tensor seen = at::mm(half, at::mm(gram, half));
  const at::Tensor most = std::get<1>(at::linalg_eigh(seen)).narrow(1, kernel.size(0) - count, count).t();
  const double scale = std::sqrt(mean);
  return {scale * at::mm(most, back), at::mm(most, half) / scale};
}

/// What runs over the data must sum up for the sites.
class HeadMeter {
 public:
  explicit HeadMeter(const KernelOptions& options) : options_(options) {}

  enum class Mean { kept, of_sample };

  /// Channels `rows` [n] of a value's last axis.
  void watch(ValueId value, const at::Tensor& rows, Mean mean) {
    auto& entries = watched_[value];
    for (const auto& entry : entries)
      if (entry.mean == mean && at::equal(entry.rows, rows)) return;
    entries.push_back({rows, mean, {}});
  }

  void observe(ValueId value, const at::Tensor& tensor, int64_t samples) {
    const auto found = watched_.find(value);
    if (found == watched_.end()) return;
    at::Tensor x = tensor.reshape({tensor.size(0) % samples == 0 ? samples : 1, -1, tensor.size(-1)});
    const auto chosen = chosen_positions(x.size(1), {options_.positions, options_.seed});
    if (chosen.size(0) < x.size(1)) x = x.index_select(1, chosen.to(x.device()));
    for (auto& entry : found->second) {
      at::Tensor part = x.index_select(2, entry.rows.to(x.device()));
      if (entry.mean == Mean::of_sample) part = part - part.mean(1, true);
      entry.moments.add(part.flatten(0, 1).t());
    }
  }

  void sum_over_ranks() {
    for (auto& [value, entries] : watched_)
      for (auto& entry : entries) entry.moments.sum_over_ranks();
  }

  const Moments& of(ValueId value, const at::Tensor& rows, Mean mean) const {
    for (const auto& entry : watched_.at(value))
      if (entry.mean == mean && at::equal(entry.rows, rows)) return entry.moments;
    throw std::logic_error("a head's channels were not measured");
  }

 private:
  struct Entry {
    at::Tensor rows;
    Mean mean;
    Moments moments;
  };
  const KernelOptions& options_;
  std::map<ValueId, std::vector<Entry>> watched_;
};

class HeadMapping {
 public:
  HeadMapping(const AnalysedNetwork& source, std::map<GroupId, GroupMaps>& maps, const KernelOptions& options)
      : source_(source), calls_(linear_calls(source.network)), maps_(maps), meter_(options) {
    std::vector<GroupId> cut;
    for (const auto& [id, pair] : maps_)
      if (!pair.produce.is_identity()) cut.push_back(id);
    for (const auto& [id, consumers] : find_consumers(source, cut)) {
      auto sites = head_sites(source, calls_, id, consumers);
      for (const auto& consumer : consumers) {
        if (consumer.other && !sites) maps_.at(id).consume = maps_.at(id).produce;
        if (!consumer.other) find_reader(id, consumer);
      }
      if (sites) sites_.emplace(id, std::move(*sites));
    }
    for (const auto& [id, pair] : maps_) chosen_.emplace(id, GroupMaps{pair.produce, pair.produce});
  }

  std::set<GroupId> mixed() const {
    std::set<GroupId> groups;
    for (const auto& [id, sites] : sites_) groups.insert(id);
    return groups;
  }

  void run(const Calibration& calibration) {
    if (sites_.empty() && readers_.empty()) return;
    watch();
    observe_values(source_.network, calibration,
                   [&](ValueId value, const at::Tensor& tensor, int64_t samples) {
                     meter_.observe(value, tensor, samples);
                   });
    meter_.sum_over_ranks();
    for (const auto& [id, sites] : sites_) mix(id, sites);
    for (const auto& [axis, reader] : readers_) update_weight_of(axis, reader);
    for (auto& [axis, matrix] : mixed_) maps_.at(owner_.at(axis)).whole.emplace(axis, AxisMap::dense(matrix));
  }

 private:
  using Mean = HeadMeter::Mean;

  struct Reader {
    GroupId group;
    LinearCall linear;
  };

  static AxisOfState outputs_of(const LinearCall& linear) { return {linear.weight, linear.output_axis()}; }
  static AxisOfState inputs_of(const LinearCall& linear) { return {linear.weight, linear.input_axis()}; }

  /// A linear map that reads the group as a factor of its inputs.
  void find_reader(GroupId id, const Consumer& consumer) {
    const auto* linear = std::get_if<LinearCall>(&calls_[consumer.call]);
    if (!linear || linear->kind != LinearCall::Kind::linear) return;
    const auto& axis = source_.groups.axes.at(linear->weight).at(static_cast<size_t>(linear->input_axis()));
    if (axis.size <= kMostInputs && axis.is_product())
      readers_.emplace(inputs_of(*linear), Reader{id, *linear});
  }

  static at::Tensor all_inputs(const LinearCall& linear, const Network& network) {
    return at::arange(network.state[linear.weight].tensor.size(linear.input_axis()));
  }

  void watch() {
    for (const auto& [id, sites] : sites_) {
      for (const auto& site : sites.scores)
        for (int64_t head = 0; head < site.query_rows.size(0); ++head) {
          meter_.watch(site.query.output, site.query_rows[head], Mean::kept);
          meter_.watch(site.key.output, site.key_rows[head],
                       site.before_softmax ? Mean::of_sample : Mean::kept);
        }
      for (const auto& site : sites.values)
        for (int64_t head = 0; head < site.reader_rows.size(0); ++head)
          meter_.watch(site.reader.input, site.reader_rows[head], Mean::kept);
    }
    for (const auto& [axis, reader] : readers_)
      meter_.watch(reader.linear.input, all_inputs(reader.linear, source_.network), Mean::kept);
  }

  /// The map of an axis by choice of channels, which mixing changes.
  at::Tensor& matrix(const AxisOfState& axis, GroupId owner) {
    const auto [found, added] = mixed_.try_emplace(axis);
    if (added) {
      found->second = axis_map(source_.groups, axis.first, axis.second, chosen_).to_dense();
      owner_.emplace(axis, owner);
    }
    return found->second;
  }

  /// The rows of the map that keep something of these channels; nothing where other channels are in them.
  static std::optional<std::vector<int64_t>> rows_of(const at::Tensor& map, const at::Tensor& channels) {
    const at::Tensor used = map != 0, within = used.index_select(1, channels).any(1);
    const at::Tensor elsewhere = used.sum(1) != used.index_select(1, channels).sum(1);
    if (at::logical_and(within, elsewhere).any().item<bool>()) return {};
    std::vector<int64_t> rows;
    for (int64_t r = 0; r < map.size(0); ++r)
      if (within[r].item<bool>()) rows.push_back(r);
    return rows;
  }

  /// Puts a head's mixture into its rows.
  void put(const LinearCall& linear, const AxisOfState& axis, GroupId id, const at::Tensor& channels,
           const at::Tensor& mixture, bool with_bias) {
    at::Tensor& map = matrix(axis, id);
    const auto rows = rows_of(map, channels);
    if (!rows || static_cast<int64_t>(rows->size()) != mixture.size(0)) return;
    at::Tensor part = at::zeros({mixture.size(0), map.size(1)}, at::kDouble);
    part.index_copy_(1, channels, mixture);
    map = map.index_copy(0, at::tensor(*rows), part);
    if (with_bias && linear.bias) matrix({*linear.bias, 0}, id) = map;
  }

  bool is_kept(const AxisOfState& axis, GroupId id, const at::Tensor& channels) {
    const auto rows = rows_of(matrix(axis, id), channels);
    return rows && !rows->empty();
  }

  void mix(GroupId id, const HeadSites& sites) {
    const int64_t count = maps_.at(id).produce.rows();
    for (const auto& site : sites.scores)
      for (const auto& heads : heads_by(site.key_rows)) {
        const at::Tensor key = site.key_rows[heads[0]];
        if (!is_kept(outputs_of(site.key), id, key)) continue;
        at::Tensor gram;
        for (const auto head : heads) {
          const at::Tensor seen = meter_.of(site.query.output, site.query_rows[head], Mean::kept).second();
          gram = gram.defined() ? gram + seen : seen;
        }
        const auto mixing = mixing_of(
            meter_.of(site.key.output, key, site.before_softmax ? Mean::of_sample : Mean::kept).second(),
            gram, count);
        put(site.key, outputs_of(site.key), id, key, mixing.keep, true);
        for (const auto head : heads)
          put(site.query, outputs_of(site.query), id, site.query_rows[head], mixing.give, true);
      }
    for (const auto& site : sites.values)
      for (const auto& heads : heads_by(site.value_rows)) {
        const at::Tensor value = site.value_rows[heads[0]];
        if (!is_kept(outputs_of(site.value), id, value)) continue;
        at::Tensor kernel, gram;
        for (const auto head : heads) {
          const at::Tensor seen = second_moment(site.reader, site.reader_rows[head]);
          const at::Tensor weight = weight_matrix(source_.network, site.reader)[0]
                                        .to(at::kCPU, at::kDouble)
                                        .index_select(1, site.reader_rows[head]);
          kernel = kernel.defined() ? kernel + seen : seen;
          gram = gram.defined() ? gram + at::mm(weight.t(), weight) : at::mm(weight.t(), weight);
        }
        const auto mixing = mixing_of(kernel, gram, count);
        put(site.value, outputs_of(site.value), id, value, mixing.keep, true);
        for (const auto head : heads)
          put(site.reader, inputs_of(site.reader), id, site.reader_rows[head], mixing.keep, false);
        readers_.try_emplace(inputs_of(site.reader), Reader{id, site.reader});
      }
  }

  /// Heads that read the same rows, together.
  static std::vector<std::vector<int64_t>> heads_by(const at::Tensor& rows) {
    std::vector<std::vector<int64_t>> result;
    for (int64_t head = 0; head < rows.size(0); ++head) {
      const auto same = std::find_if(result.begin(), result.end(), [&](const auto& heads) {
        return at::equal(rows[heads[0]], rows[head]);
      });
      if (same == result.end())
        result.push_back({head});
      else
        same->push_back(head);
    }
    return result;
  }

  at::Tensor second_moment(const LinearCall& reader, const at::Tensor& inputs) const {
    const auto& moments = meter_.of(reader.input, inputs, Mean::kept);
    return reader.bias ? moments.centered() : moments.second();
  }

  /// The kernel's weights over all inputs of a reader.
  void update_weight_of(const AxisOfState& axis, const Reader& reader) {
    const at::Tensor inputs = all_inputs(reader.linear, source_.network);
    const at::Tensor keep = matrix(axis, reader.group);
    const bool few =
        meter_.of(reader.linear.input, inputs, Mean::kept).count() < kRowsOfInput * inputs.size(0);
    if (few && at::equal(keep, axis_map(source_.groups, axis.first, axis.second, chosen_).to_dense())) {
      mixed_.erase(axis);
      return;
    }
    at::Tensor moment = meter_.of(reader.linear.input, inputs, Mean::kept).second();
    moment.diagonal().add_((few ? kRidgeOfFew : kHeadRidge) * moment.diagonal().mean());
    const at::Tensor across = at::mm(keep, moment);
    mixed_[axis] = at::mm(inverse_of(at::mm(across, keep.t())), across);
  }

  const AnalysedNetwork& source_;
  std::vector<MaybeLinearCall> calls_;
  std::map<GroupId, GroupMaps>& maps_;
  std::map<GroupId, GroupMaps> chosen_;  // by selection alone
  HeadMeter meter_;
  std::map<GroupId, HeadSites> sites_;
  std::map<AxisOfState, Reader> readers_;
  std::map<AxisOfState, at::Tensor> mixed_;
  std::map<AxisOfState, GroupId> owner_;
};

}  // namespace

std::set<GroupId> add_head_maps(const AnalysedNetwork& source, const Calibration& calibration,
                                std::map<GroupId, GroupMaps>& maps, const KernelOptions& options) {
  const at::NoGradGuard no_grad;
  HeadMapping mapping(source, maps, options);
  mapping.run(calibration);
  return mapping.mixed();
}

}  // namespace inn
