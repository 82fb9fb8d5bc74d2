#pragma once
// The state of one analysis, which rules access through RuleContext.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "inn/dimension/algebra.h"
#include "inn/dimension/groups.h"
#include "inn/dimension/rule.h"

namespace inn {

class Analysis {
 public:
  Analysis(const Network& network, const RuleTable& rules);
  void run();

  /// Where the slices along an axis of a value come from: scaling the slices [begin, end) of axis `axis` of
  /// the state tensor scales the value's. One step along the value's axis is `stride` steps there.
  struct ScaleSource {
    size_t state;
    int64_t axis;
    int64_t begin, end, stride;
    auto operator<=>(const ScaleSource&) const = default;
    bool is_of(const ScaleSource& other) const { return state == other.state && axis == other.axis; }
  };
  /// A constant size in a call, and the axis that determines it.
  struct SizeSite {
    size_t call;
    size_t argument;
    std::optional<size_t> element;
    Axis axis;
  };
  /// An argument to be replaced by a constant: a default that depends on a width.
  struct ConstantSite {
    size_t call;
    size_t argument;
    c10::IValue value;
  };
  /// Slices of a state tensor that are summed over, along the variables of `axis`.
  struct Consumption {
    ScaleSource scale_source;
    Axis axis;
  };
  /// An axis of a value.
  struct Place {
    ValueId value;
    int64_t axis;
  };
  /// A sum over the product of two activations: the quadrature weights are applied at the first possible
  /// place.
  struct Contraction {
    size_t call;
    std::vector<Place> places;
    Axis axis;
  };

  const Network& network;
  const RuleTable& rules;
  Algebra algebra;
  std::vector<std::optional<Axes>> axes;      // by value
  std::vector<std::optional<Axis>> integers;  // by value: sizes, whose products and sums have no order
  bool has_dynamic_sizes = false;             // the source says which sizes of inputs vary
  std::vector<std::vector<std::vector<ScaleSource>>>
      scale_sources;                                   // by value, by axis: all are scaled together
  std::vector<bool> bounded;                           // by state: see Groups::bounded
  std::vector<bool> of_parameters;                     // by value: computed only from parameters
  std::vector<bool> read;                              // by value: by a call or as an output
  std::map<ValueId, at::Tensor> constant_integers;     // see constant_integers()
  std::set<std::pair<size_t, int64_t>> position_axes;  // axes of the state that are positions by their reader
  std::vector<SizeSite> sizes;
  std::vector<ConstantSite> constants;
  std::map<size_t, Call> replacements;  // by index: what a call becomes; sizes and constants are of it
  std::vector<Consumption> consumptions;
  std::vector<Contraction> contractions;
  std::map<std::string, int64_t> unknown_operators;

  /// Returns what scales the slices along the axis; empty where nothing is known to.
  const std::vector<ScaleSource>& scale_sources_of(Place place) const;
  /// Notes that `part` of the axis is summed over.
  void consume(Place place, const Axis& part);

 private:
  void start();
  void apply(size_t call_index);
  /// Pins everything that the call touches, with reason `why`.
  void apply_unknown(size_t call_index, const std::string& why);
  void finish();
  /// Fixes the axes of a state tensor, which are positions alone.
  void fix_state(size_t state, const Axes& own, const std::string& reason);
};

/// Returns the values whose integers no run changes: state that is not learnt, and copies and views of it as
/// a whole, where nothing writes to them.
std::map<ValueId, at::Tensor> constant_integers(const Network& network);
/// Determines for every contraction of activations the parameters to which its quadrature weights are
/// applied: those of the first place whose slices are used nowhere else.
void place_quadratures(Analysis& analysis);
/// Names the free variables that occur in state tensors, and lists their members.
Groups collect_groups(const Analysis& analysis);
/// Replaces every size expression by its current value, and drops the symbols.
void freeze_sizes(Network& network);
/// Replaces the sizes marked by rules by expressions in new symbols.
void derive_sizes(const Analysis& analysis, Network& network, Groups& groups);

}  // namespace inn
