#include "memory_model.h"

#include <algorithm>
#include <set>

#include "axis_groups.h"
#include "inn/cost/cost.h"

namespace inn {
namespace {

constexpr double kLeastMoment = 0.05;  // of the peak: lower moments stay below it at any widths that matter

}  // namespace

double MemoryModel::Piece::bytes(const std::vector<int64_t>& widths) const {
  double size = scale;
  for (const auto& axis : axes) size *= static_cast<double>(size_at(axis, widths));
  return size;
}

MemoryModel::MemoryModel(const AnalysedNetwork& source) {
  const auto widths = source_widths(source.groups);
  // The example may have any batch, a value of the state any storage: pieces are scaled to what they take here.
  const auto piece = [&](const std::vector<AxisStructure>& axes, double bytes) {
    Piece result{axes, 1};
    result.scale = bytes / std::max(1.0, result.bytes(widths));
    return result;
  };
  for (size_t s = 0; s < source.network.state.size(); ++s)
    state_.push_back(
        piece(source.groups.axes.at(s), static_cast<double>(source.network.state[s].tensor.nbytes())));
  const auto all = live_storages(source.network, example_inputs(source.network, 1));
  const auto bytes_at = [](const std::vector<LiveStorage>& moment) {
    double sum = 0;
    for (const auto& storage : moment) sum += static_cast<double>(storage.bytes);
    return sum;
  };
  double most = 0;
  for (const auto& moment : all) most = std::max(most, bytes_at(moment));
  std::set<std::vector<ValueId>> seen;
  for (const auto& moment : all) {
    if (bytes_at(moment) < kLeastMoment * most) continue;
    std::vector<ValueId> values;
    for (const auto& storage : moment) {
      values.push_back(storage.value);
      values_.try_emplace(storage.value,
                          piece(source.groups.value_axes.at(static_cast<size_t>(storage.value)),
                                static_cast<double>(storage.bytes)));
    }
    std::sort(values.begin(), values.end());
    if (seen.insert(values).second) moments_.push_back(std::move(values));
  }
}

std::vector<double> MemoryModel::activations(const std::vector<int64_t>& widths) const {
  std::map<ValueId, double> bytes;
  for (const auto& [value, piece] : values_) bytes[value] = piece.bytes(widths);
  std::vector<double> sums;
  for (const auto& moment : moments_) {
    double& sum = sums.emplace_back(0);
    for (const auto value : moment) sum += bytes.at(value);
  }
  return sums;
}

double MemoryModel::peak(const std::vector<int64_t>& widths) const {
  double sum = 0;
  for (const auto& piece : state_) sum += piece.bytes(widths);
  const auto activations = this->activations(widths);
  return sum + (activations.empty() ? 0 : *std::max_element(activations.begin(), activations.end()));
}

WidthCost MemoryModel::mean(const std::vector<double>& shares) const {
  WidthCost cost;
  const auto add = [&](Piece piece) {
    auto groups = groups_of_axes(piece.axes);
    cost.terms.push_back(
        {std::move(groups), [piece = std::move(piece)](const auto& widths) { return piece.bytes(widths); }});
  };
  for (const auto& piece : state_) add(piece);
  std::map<ValueId, double> share_of;
  for (size_t m = 0; m < moments_.size(); ++m)
    for (const auto value : moments_[m]) share_of[value] += shares.at(m);
  for (const auto& [value, share] : share_of) {
    Piece piece = values_.at(value);
    piece.scale *= share;
    add(std::move(piece));
  }
  return cost;
}

}  // namespace inn
