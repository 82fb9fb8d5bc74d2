#pragma once
// The state of one analysis, which rules access through RuleContext.

#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "inn/dimension/algebra.h"
#include "inn/dimension/fold_weights.h"
#include "inn/dimension/groups.h"
#include "inn/dimension/rule.h"

namespace inn {

class Analysis {
 public:
  Analysis(const Network& network, const RuleTable& rules);
  void run();

  /// Where the slices along an axis of a value come from: scaling the slices [begin, end) of axis `axis` of
  /// the state tensor scales the value's. One step along the value's axis is `stride` steps there; 0 where
  /// several of the value's slices come of one.
  struct ScaleSource {
    size_t state;
    int64_t axis;
    int64_t begin, end, stride;
    auto operator<=>(const ScaleSource&) const = default;
    bool is_of(const ScaleSource& other) const { return state == other.state && axis == other.axis; }
    /// The slices are softmax weights; `axis` is then an index into `softmaxes`.
    bool is_softmax() const { return state == kSoftmax; }
    static constexpr size_t kSoftmax = std::numeric_limits<size_t>::max();
  };
  /// A constant size in a call, and the axis that determines it.
  struct SizeSite {
    size_t call;
    size_t argument;
    std::optional<size_t> element;
    AxisStructure axis;
  };
  /// An argument to be replaced by a constant: a default that depends on a width.
  struct ConstantSite {
    size_t call;
    size_t argument;
    c10::IValue value;
  };
  /// Slices of a state tensor that are summed over, along these variables.
  struct Consumption {
    ScaleSource scale_source;
    std::set<VariableId> variables;
  };
  /// An axis of a value.
  struct Place {
    ValueId value;
    int64_t axis;
  };
  /// An axis of an argument of a call.
  struct Operand {
    Place place;
    size_t argument;
    std::optional<size_t> element;
  };
  /// A sum over an axis shared by its operands: the quadrature weights are applied to the first possible one.
  struct Contraction {
    size_t call;
    std::vector<Operand> operands;
    AxisStructure axis;
    SumKind kind = SumKind::sum;
    double power = 1;
  };
  /// A sum without an operand that can hold its quadrature weights.
  struct Unweighted {
    const Contraction* contraction;
    Operand operand;
    std::set<VariableId> variables;
  };
  /// A call of parameters alone whose result depends, slice by slice, on all slices along the axis.
  struct Mixing {
    size_t call;
    AxisStructure axis;
  };

  const Network& network;
  const RuleTable& rules;
  Algebra algebra;
  std::vector<std::optional<TensorAxes>> axes;  // by value
  std::vector<std::optional<AxisStructure>>
      integers;                    // by value: sizes, whose products and sums have no order
  bool has_dynamic_sizes = false;  // the source says which sizes of inputs vary
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
  std::vector<Unweighted> unweighted;
  std::vector<AxisStructure> softmaxes;  // what each was taken over
  std::vector<Mixing> mixings;
  std::map<std::string, int64_t> unknown_operators;

  /// Returns the tensors that scale the slices along the axis; empty if none is known.
  const std::vector<ScaleSource>& scale_sources_of(Place place) const;
  /// The free variables of an axis.
  std::set<VariableId> variables_of(const AxisStructure& axis) const;

 private:
  void start();
  void apply(size_t call_index);
  /// Pins everything that the call touches, with reason `why`.
  void apply_unknown(size_t call_index, const std::string& why);
  void finish();
  /// Fixes the axes of a state tensor with positions only.
  void fix_state(size_t state, const TensorAxes& own, const std::string& reason);
};

/// "aten::conv2d (layer1.0.conv1)": how messages and reasons name the call.
std::string site_of(const Call& call);
/// Returns the size of the axis as an expression, in which `symbol_of` gives the symbol of each variable.
SizeExpression size_expression(const AxisStructure& axis,
                               const std::function<SymbolId(const AxisStructure& variable)>& symbol_of);
/// Returns the values whose integers no run changes: buffers and constants, and copies and views of them as
/// a whole, if no call writes to them.
std::map<ValueId, at::Tensor> constant_integers(const Network& network);
/// Determines for every contraction the parameters to which its quadrature weights are applied: those of the
/// first operand whose slices are used nowhere else. Lists the contractions that have no such operand.
void place_quadratures(Analysis& analysis);
/// Returns the values that are computed only from parameters, used by other calls, and normalized over a
/// resizable group that occurs in them.
std::vector<ComputedWeight> mixed_weights(const Analysis& analysis);
/// Names the free variables that occur in state tensors, and lists their members.
Groups collect_groups(const Analysis& analysis);
/// Replaces every size expression by its current value, and drops the symbols.
void freeze_sizes(Network& network);
/// Replaces the sizes marked by rules by expressions in new symbols.
void derive_sizes(const Analysis& analysis, Network& network, Groups& groups);

}  // namespace inn
