// Assigns the quadrature weights of sums to parameters.
//
// A linear layer sums over the inputs of its weight, attention's scores sum q(x) k(x) over the head
// dimension. The quadrature weights are applied once: to the parameters that scale the slices of one operand,
// if nothing else uses those slices; operands computed from parameters alone come first. A sum without such an
// operand is listed as unweighted.

#include <algorithm>
#include <set>
#include <tuple>

#include "analysis.h"
#include "inn/network/value_uses.h"

namespace inn {
namespace {

using ScaleSource = Analysis::ScaleSource;
using Variables = std::set<VariableId>;

void remove(Variables& from, const Variables& removed) {
  for (const auto variable : removed) from.erase(variable);
}

bool overlap(const Variables& a, const Variables& b) {
  return std::any_of(a.begin(), a.end(), [&](VariableId variable) { return b.contains(variable); });
}

bool overlap(const ScaleSource& a, const ScaleSource& b) {
  return a.is_of(b) && a.begin < b.end && b.begin < a.end;
}

class Placement {
 public:
  explicit Placement(Analysis& analysis)
      : analysis_(analysis), network_(analysis.network), uses_(network_), readers_(network_.values.size()) {
    for (size_t v = 0; v < readers_.size(); ++v) {
      readers_[v] = uses_.readers(static_cast<ValueId>(v));
      std::erase_if(readers_[v], [&](size_t call) { return only_reads_sizes(network_.calls[call]); });
    }
    list_slices_of_parameters();
    for (const auto& contraction : analysis_.contractions)
      if (contraction.kind == SumKind::sum && !unweighted_in(contraction).empty())
        for (const auto& operand : contraction.operands)
          summed_.insert({contraction.call, operand.place.value, operand.place.axis});
  }

  /// Parameters cannot hold the weights of two different sums: then they hold neither.
  void place_all() {
    do {
      analysis_.consumptions.clear();
      analysis_.unweighted.clear();
      chosen_.clear();
      for (const auto& contraction : analysis_.contractions) place(contraction);
    } while (keep_conflicting());
  }

 private:
  void place(const Analysis::Contraction& contraction) {
    Variables open = unweighted_in(contraction);
    for (const auto& operand : contraction.operands) take_from_buffer(contraction, operand, open);
    for (const bool of_parameters : {true, false})
      for (const auto& operand : contraction.operands)
        if (contraction.kind == SumKind::sum && is_of_parameters(operand) == of_parameters)
          take(contraction, operand, open);
    if (!open.empty()) list_unweighted(contraction, open);
  }

  bool is_of_parameters(const Analysis::Operand& operand) const {
    return analysis_.of_parameters[operand.place.value];
  }

  bool only_reads_sizes(const Call& call) const {
    return std::all_of(call.results.begin(), call.results.end(), [&](const auto& result) {
      return std::all_of(result.values.begin(), result.values.end(),
                         [&](ValueId id) { return network_.values[id].kind != Value::Kind::tensor; });
    });
  }

  void list_slices_of_parameters() {
    slices_.resize(network_.state.size());
    for (size_t v = 0; v < network_.values.size(); ++v) {
      if (!analysis_.of_parameters[v]) continue;
      for (size_t d = 0; d < analysis_.scale_sources[v].size(); ++d)
        for (const auto& source : analysis_.scale_sources[v][d])
          if (!source.is_softmax())
            slices_[source.state].push_back({{static_cast<ValueId>(v), static_cast<int64_t>(d)}, source});
    }
  }

  /// The variables that are summed over without softmax weights.
  Variables unweighted_in(const Analysis::Contraction& contraction) const {
    Variables open = analysis_.variables_of(contraction.axis);
    std::erase_if(open, [&](VariableId variable) { return analysis_.algebra.is_fixed(variable); });
    if (contraction.kind != SumKind::sum) return open;
    for (const auto& operand : contraction.operands)
      for (const auto& source : analysis_.scale_sources_of(operand.place))
        if (source.is_softmax()) remove(open, analysis_.variables_of(analysis_.softmaxes[source.axis]));
    return open;
  }

  Variables variables_of(const ScaleSource& source) const {
    return analysis_.variables_of(analysis_.axes[network_.state[source.state].value]->at(source.axis));
  }

  /// The parameters that scale the operand's slices hold the weights, if nothing else uses those slices.
  void take(const Analysis::Contraction& contraction, const Analysis::Operand& operand, Variables& open) {
    std::vector<ScaleSource> sources;
    for (const auto& source : analysis_.scale_sources_of(operand.place))
      if (!source.is_softmax() && overlap(variables_of(source), open)) sources.push_back(source);
    if (sources.empty()) return;
    const bool is_own = is_of_parameters(operand) ? are_only_summed(sources)
                                                  : is_private(operand.place, sources, contraction.call);
    if (!is_own) return;
    consume(sources, open);
    chosen_.insert(&operand);
  }

  /// Removes the weights from parameters that hold those of another sum, but not those of their own sum.
  /// Returns whether there are any.
  bool keep_conflicting() {
    std::map<std::pair<size_t, int64_t>, std::vector<const Analysis::Consumption*>> weighed;
    for (const auto& consumption : analysis_.consumptions)
      weighed[{consumption.scale_source.state, consumption.scale_source.axis}].push_back(&consumption);
    bool any = false;
    for (const auto& contraction : analysis_.contractions)
      for (const auto& operand : contraction.operands) {
        if (contraction.kind != SumKind::sum || !is_of_parameters(operand) || chosen_.contains(&operand))
          continue;
        const Variables summed = analysis_.variables_of(contraction.axis);
        for (const auto& source : analysis_.scale_sources_of(operand.place))
          for (const auto* consumption : weighed[{source.state, source.axis}])
            if (overlap(consumption->scale_source, source) && overlap(consumption->variables, summed)) {
              kept_[{source.state, source.axis}].push_back(source);
              any = true;
            }
      }
    return any;
  }

  bool is_kept(const ScaleSource& source) const {
    const auto found = kept_.find({source.state, source.axis});
    return found != kept_.end() && std::any_of(found->second.begin(), found->second.end(),
                                               [&](const auto& kept) { return overlap(kept, source); });
  }

  void consume(const std::vector<ScaleSource>& sources, Variables& open) {
    for (const auto& source : sources) analysis_.consumptions.push_back({source, open});
    for (const auto& source : sources) remove(open, variables_of(source));
  }

  /// The buffer by which `add_quadrature_buffers` multiplied the operand, if it did.
  void take_from_buffer(const Analysis::Contraction& contraction, const Analysis::Operand& operand,
                        Variables& open) {
    const auto [value, axis] = operand.place;
    const auto weighed = uses_.producer(value);
    if (!weighed || readers_[value].size() != 1) return;
    const Call& weighing = network_.calls[*weighed];
    const bool is_logarithm = contraction.kind == SumKind::logarithm || contraction.kind == SumKind::softmax;
    if (weighing.qualified_name() != (is_logarithm ? "aten::add.Tensor" : "aten::mul.Tensor")) return;
    if (!weighing.arguments[1].is_value()) return;
    ValueId weights = weighing.arguments[1].value();
    if (contraction.kind != SumKind::sum) {
      const auto computed = uses_.producer(weights);
      if (!computed) return;
      const Call& made = network_.calls[*computed];
      if (made.op != (is_logarithm ? "aten::log" : "aten::pow") || !made.arguments[0].is_value()) return;
      weights = made.arguments[0].value();
    }
    const auto state = uses_.state_of(weights);
    const auto& sizes = network_.values[weights].sizes;
    if (!state || network_.state[*state].kind != StateEntry::Kind::buffer || readers_[weights].size() != 1 ||
        sizes.size() + static_cast<size_t>(axis) != network_.values[value].sizes.size())
      return;
    consume({{*state, 0, 0, sizes[0], 1}}, open);
  }

  /// Whether every use of slices of parameters sums over them.
  bool are_only_summed(const std::vector<ScaleSource>& sources) const {
    for (const auto& source : sources) {
      if (is_kept(source)) return false;
      for (const auto& [place, slices] : slices_[source.state]) {
        if (!overlap(slices, source)) continue;
        if (uses_.is_output(place.value)) return false;
        for (const auto reader : readers_[place.value])
          if (!summed_.contains({reader, place.value, place.axis}) && !carries_on(reader, source))
            return false;
      }
    }
    return true;
  }

  /// Whether the call's results are computed from parameters alone too, and scaled by the slices.
  bool carries_on(size_t call, const ScaleSource& source) const {
    for (const auto& result : network_.calls[call].results)
      for (const auto id : result.values)
        if (analysis_.of_parameters[id] && is_scaled(id, {source})) return true;
    return false;
  }

  /// Whether every reader of the values that the sources scale leads to this operand of the call, or reads
  /// other slices.
  bool is_private(Analysis::Place place, const std::vector<ScaleSource>& sources, size_t call) const {
    const auto reads = std::count(readers_[place.value].begin(), readers_[place.value].end(), call);
    if (reads != 1 || readers_[place.value].size() != 1) return false;
    const std::set<ValueId> path = path_to(place.value, sources);
    for (const auto value : path) {
      if (uses_.is_output(value)) return false;
      for (const auto reader : readers_[value]) {
        const bool is_the_sum = reader == call && value == place.value;  // not by its other operand
        if (!is_the_sum && !makes(reader, path) && !reads_others(reader, sources)) return false;
      }
    }
    return true;
  }

  /// The value and the values that it is computed from, as far as the sources scale them.
  std::set<ValueId> path_to(ValueId end, const std::vector<ScaleSource>& sources) const {
    std::set<ValueId> path{end};
    std::vector<ValueId> open{end};
    while (!open.empty()) {
      const auto call = uses_.producer(open.back());
      open.pop_back();
      if (!call) continue;
      for (const auto& argument : network_.calls[*call].arguments)
        argument.for_each_value([&](ValueId id) {
          if (is_scaled(id, sources) && path.insert(id).second) open.push_back(id);
        });
    }
    return path;
  }

  bool is_scaled(ValueId value, const std::vector<ScaleSource>& sources) const {
    for (const auto& by_axis : analysis_.scale_sources[value])
      for (const auto& own : by_axis)
        for (const auto& source : sources)
          if (overlap(own, source)) return true;
    return false;
  }

  bool makes(size_t call, const std::set<ValueId>& path) const {
    for (const auto& result : network_.calls[call].results)
      for (const auto id : result.values)
        if (path.contains(id)) return true;
    return false;
  }

  /// Whether all results of the call are scaled by other slices of the same tensors.
  bool reads_others(size_t call, const std::vector<ScaleSource>& sources) const {
    for (const auto& result : network_.calls[call].results)
      for (const auto id : result.values) {
        bool same_tensors = false;
        for (const auto& by_axis : analysis_.scale_sources[id])
          for (const auto& own : by_axis)
            for (const auto& source : sources) same_tensors = same_tensors || own.is_of(source);
        if (!same_tensors || is_scaled(id, sources)) return false;
      }
    return true;
  }

  /// Its weights will multiply an operand that has the axis: an activation, so that layers stay linear in
  /// their weights.
  void list_unweighted(const Analysis::Contraction& contraction, const Variables& open) {
    const Analysis::Operand* chosen = nullptr;
    for (const auto& operand : contraction.operands) {
      const auto& value = network_.values[operand.place.value];
      const auto& axis = analysis_.axes[operand.place.value]->at(operand.place.axis);
      if (!c10::isFloatingType(value.dtype) || !overlap(analysis_.variables_of(axis), open)) continue;
      if (chosen == nullptr ||
          (analysis_.of_parameters[chosen->place.value] && !analysis_.of_parameters[operand.place.value]))
        chosen = &operand;
    }
    if (chosen != nullptr) analysis_.unweighted.push_back({&contraction, *chosen, open});
  }

  struct Slices {
    Analysis::Place place;
    ScaleSource source;
  };

  Analysis& analysis_;
  const Network& network_;
  ValueUses uses_;
  std::vector<std::vector<size_t>> readers_;   // by value: without those that read its sizes alone
  std::vector<std::vector<Slices>> slices_;    // by state: where values of parameters alone have its slices
  std::set<const Analysis::Operand*> chosen_;  // those that hold the weights of their sum
  std::map<std::pair<size_t, int64_t>, std::vector<ScaleSource>> kept_;  // by state and axis
  std::set<std::tuple<size_t, ValueId, int64_t>> summed_;  // calls, and the axes of values that they sum over
};

}  // namespace

void place_quadratures(Analysis& analysis) {
  if (analysis.contractions.empty()) return;
  Placement(analysis).place_all();
}

}  // namespace inn
