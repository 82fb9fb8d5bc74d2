// Whose quadrature a sum over two activations is.
//
// Attention's scores sum q(x) k(x) over the head dimension. The quadrature's weights stand once, in the
// parameters that scale q's slices, if nothing else sees those slices; else in those of k, under the same
// condition; else nowhere.

#include <algorithm>
#include <set>

#include "analysis.h"

namespace inn {
namespace {

using ScaleSource = Analysis::ScaleSource;

class Placement {
 public:
  explicit Placement(Analysis& analysis) : analysis_(analysis), network_(analysis.network) {
    made_by_.resize(network_.values.size(), network_.calls.size());
    readers_.resize(network_.values.size());
    is_output_.resize(network_.values.size());
    for (size_t c = 0; c < network_.calls.size(); ++c) {
      for (const auto& result : network_.calls[c].results)
        for (const auto id : result.values) made_by_[id] = c;
      for (const auto& argument : network_.calls[c].arguments)
        argument.for_each_value([&](ValueId id) { readers_[id].push_back(c); });
    }
    for (const auto& output : network_.outputs)
      output.for_each_value([&](ValueId id) { is_output_[id] = true; });
  }

  void place(const Analysis::Contraction& contraction) {
    for (const auto& place : contraction.places) {
      if (!is_private(place, contraction.call)) continue;
      analysis_.consume(place, contraction.axis);
      return;
    }
  }

 private:
  /// True where every reader of what the scale_sources scale leads into the call by this place, or reads
  /// other slices.
  bool is_private(Analysis::Place place, size_t call) const {
    const auto& scale_sources = analysis_.scale_sources_of(place);
    const auto reads = std::count(readers_[place.value].begin(), readers_[place.value].end(), call);
    if (scale_sources.empty() || reads != 1 || readers_[place.value].size() != 1) return false;
    const std::set<ValueId> path = path_to(place.value, scale_sources);
    for (const auto value : path) {
      if (is_output_[value]) return false;
      for (const auto reader : readers_[value]) {
        const bool is_the_sum = reader == call && value == place.value;  // not by its other operand
        if (!is_the_sum && !makes(reader, path) && !reads_others(reader, scale_sources)) return false;
      }
    }
    return true;
  }

  /// The value and what it is made of, as far as the scale_sources scale it.
  std::set<ValueId> path_to(ValueId end, const std::vector<ScaleSource>& scale_sources) const {
    std::set<ValueId> path{end};
    std::vector<ValueId> open{end};
    while (!open.empty()) {
      const size_t call = made_by_[open.back()];
      open.pop_back();
      if (call == network_.calls.size()) continue;
      for (const auto& argument : network_.calls[call].arguments)
        argument.for_each_value([&](ValueId id) {
          if (is_scaled(id, scale_sources) && path.insert(id).second) open.push_back(id);
        });
    }
    return path;
  }

  bool is_scaled(ValueId value, const std::vector<ScaleSource>& scale_sources) const {
    for (const auto& by_axis : analysis_.scale_sources[value])
      for (const auto& own : by_axis)
        for (const auto& scale_source : scale_sources)
          if (own.is_of(scale_source) && own.begin < scale_source.end && scale_source.begin < own.end)
            return true;
    return false;
  }

  bool makes(size_t call, const std::set<ValueId>& path) const {
    for (const auto& result : network_.calls[call].results)
      for (const auto id : result.values)
        if (path.contains(id)) return true;
    return false;
  }

  /// True where all that the call makes is scaled by other slices of the same tensors.
  bool reads_others(size_t call, const std::vector<ScaleSource>& scale_sources) const {
    for (const auto& result : network_.calls[call].results)
      for (const auto id : result.values) {
        bool same_tensors = false;
        for (const auto& by_axis : analysis_.scale_sources[id])
          for (const auto& own : by_axis)
            for (const auto& scale_source : scale_sources)
              same_tensors = same_tensors || own.is_of(scale_source);
        if (!same_tensors || is_scaled(id, scale_sources)) return false;
      }
    return true;
  }

  Analysis& analysis_;
  const Network& network_;
  std::vector<size_t> made_by_;  // by value: the call, or the number of calls
  std::vector<std::vector<size_t>> readers_;
  std::vector<bool> is_output_;
};

}  // namespace

void place_quadratures(Analysis& analysis) {
  if (analysis.contractions.empty()) return;
  Placement placement(analysis);
  for (const auto& contraction : analysis.contractions) placement.place(contraction);
}

}  // namespace inn
