#pragma once
// Operator rules: equations between the axes of arguments and results.

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "inn/dimension/algebra.h"
#include "inn/network/network.h"

namespace inn {

class Analysis;

/// How quadrature weights w enter a sum: in Σ x they multiply each term; in (Σ |x|^p)^(1/p) they multiply x
/// as w^(1/p); in a softmax or a logsumexp, Σ exp x, log w is added to x.
enum class SumKind { sum, norm, logarithm, softmax };

/// The axes of one tensor.
using TensorAxes = std::vector<AxisStructure>;

/// The view of one call that a rule gets: arguments by name, axes of tensors, and the equations that it can
/// state.
///
/// A rule must set the axes of every tensor result (`set_result`); a missing one is an error.
class RuleContext {
 public:
  RuleContext(Analysis& analysis, size_t call_index);

  const Call& call() const;
  /// "aten::conv2d (layer1.0.conv1)": the name of this call in messages.
  const std::string& site() const { return site_; }

  // ---- arguments, by the names of the schema ----
  bool has(const std::string& name) const;  // given, and not None
  bool is_tensor(const std::string& name) const;
  /// The constant, or `fallback` if absent or None. Throws if it is not a constant of that type.
  int64_t integer(const std::string& name, int64_t fallback = 0) const;
  double number(const std::string& name, double fallback = 0) const;
  bool flag(const std::string& name, bool fallback = false) const;
  std::string text(const std::string& name, const std::string& fallback = "") const;
  /// A list of integers, with -1 for elements that the network computes. A single integer is a list of one.
  std::vector<int64_t> integers(const std::string& name) const;
  size_t list_size(const std::string& name) const;
  /// The names of the arguments that are single tensors, in order.
  std::vector<std::string> tensor_arguments() const;

  /// The axes of a tensor argument, resolved. Throws if it is None or not a tensor.
  TensorAxes axes(const std::string& name) const;
  /// The axes of each tensor of a list argument, without entries for None.
  std::vector<TensorAxes> list_axes(const std::string& name) const;
  /// Which tensors of a list of optional tensors are given.
  std::vector<bool> optional_tensors(const std::string& name) const;
  /// The dtypes of the tensors of a list argument, without entries for None.
  std::vector<c10::ScalarType> list_dtypes(const std::string& name) const;
  /// The values of a tensor argument (of a list: of its tensor `element`) if they are constant integers: a
  /// list of indices, a buffer. Else undefined.
  at::Tensor constant_tensor(const std::string& name, std::optional<size_t> element = std::nullopt) const;
  /// The sizes of result `index`, in the example run.
  const std::vector<int64_t>& result_sizes(size_t index = 0) const;
  size_t result_count() const { return results_.size(); }

  /// Returns the axis that the integer argument `name` (element `element` of a list) stands for. For a
  /// constant, a new variable of size `actual` that determines the argument from now on; for the size of an
  /// axis, that axis; for a computed size, a new variable of that size, pinned if nothing is known about the
  /// computation.
  AxisStructure size_argument(const std::string& name, int64_t actual,
                              std::optional<size_t> element = std::nullopt);
  /// Makes the integer argument the size of `axis`: a constant is determined by it from now on (a negative
  /// one, -1 for "inferred", is unchanged); a computed one is equated with it.
  void follow(const std::string& name, const AxisStructure& axis,
              std::optional<size_t> element = std::nullopt);

  // ---- equations ----
  AxisStructure fresh(int64_t size);
  void unify(const AxisStructure& a, const AxisStructure& b);
  /// Unifies axis by axis; the numbers of axes must be equal.
  void unify(const TensorAxes& a, const TensorAxes& b);
  void pin(const AxisStructure& axis, const std::string& reason);
  /// Pins the axis as positional: counters, results of windows.
  void fix(const AxisStructure& axis);
  /// The same for axis `axis` of the argument `name`; for an axis of a state tensor, its group is positional
  /// (Group::positions).
  void fix(const std::string& name, int64_t axis);
  std::optional<std::pair<AxisStructure, AxisStructure>> cut(const AxisStructure& axis, int64_t position);
  bool is_pinned(const AxisStructure& axis) const;  // every variable of it
  /// Returns a new positional axis, e.g. after a window, a sort or a lookup. A parameter with this axis is
  /// pinned.
  AxisStructure positions(int64_t size);
  /// Replaces the argument by this constant, e.g. the value that a width-dependent default had at the
  /// source's width.
  void set_constant(const std::string& name, c10::IValue value);

  /// Replaces a call that splits `self` along an axis by aten::split_with_sizes, since the parts may get
  /// different widths. `follow` then refers to its arguments.
  void replace_by_sizes(int64_t along);
  /// Replaces a call that takes the part of `self` after `before` along an axis by aten::slice (for a view)
  /// or aten::slice_copy, whose start and end are determined by the two.
  enum class Slice { view, copy };
  void replace_by_slice(Slice kind, int64_t along, const AxisStructure& before, const AxisStructure& part);

  /// States that the call sums over axis `axis` of the tensor argument `name` (of a list: its tensor
  /// `element`), so that the tensors used there are consumers.
  void consume(const std::string& name, int64_t axis, std::optional<size_t> element = std::nullopt);
  /// An axis of a tensor argument (of a list: of its tensor `element`).
  struct Place {
    std::string name;
    int64_t axis;
    std::optional<size_t> element = std::nullopt;
  };
  /// States that the call sums the product of these tensors over a shared axis. The quadrature weights are
  /// applied to one of them: the first that is computed only from parameters, else the first whose slices are
  /// scaled by parameters; in both cases only if these parameters are used nowhere else. Nothing is applied
  /// if one of them already has weights (`softmax`).
  void contract(const std::vector<Place>& places);
  /// The same for the factor or part `part` of that axis only.
  void consume_part(const std::string& name, int64_t axis, const AxisStructure& part);
  /// States that the call takes the norm (Σ |x|^power)^(1/power) of the argument over the axis.
  void norm(const std::string& name, int64_t axis, double power);
  /// States that the call takes log Σ exp of the argument over the axis.
  void log_sum(const std::string& name, int64_t axis);
  /// States that slices of result 0 along the axis are weights that sum to 1: a sum with them needs no
  /// quadrature weights.
  void softmax(const std::string& name, int64_t axis);
  /// States that the result has the axis of the argument and each slice depends on all slices: a
  /// normalization over it. Implied for sums, averages and norms.
  void normalize_over(const std::string& name, int64_t axis);

  /// Clamps sampled values of the argument to the range of the source (a variance is never negative).
  void clamp_to_source_range(const std::string& name);

  /// The axes of result `index`.
  void set_result(TensorAxes axes, size_t index = 0);
  /// The axes given to `set_result`, resolved.
  TensorAxes result_axes(size_t index = 0) const;
  /// States that position i of axis `to` of result `index` is computed from position i of axis `from` of
  /// argument `name`, and that scaling a slice of one scales that of the other. A sum over the result can
  /// then apply its quadrature weights to the argument.
  void propagate_scale(const std::string& name, int64_t from, int64_t to, size_t index = 0);
  /// The same for several places that must be scaled together: a weight and its bias, the terms of a sum. Has
  /// no effect if one of them has no scale source.
  void propagate_scales(const std::vector<Place>& places, int64_t to, size_t index = 0);
  /// The same for reshaped axes: the axes from first_from with sizes `from` become the axes from first_to
  /// with sizes `to`, elements in the same order.
  void propagate_scale_reshaped(const std::string& name, int64_t first_from, const std::vector<int64_t>& from,
                                int64_t first_to, const std::vector<int64_t>& to);
  /// The same for result `index` being the part [start, start + length) of argument `name` along axis
  /// `along`, which it keeps or drops.
  enum class Along { kept, dropped };
  void propagate_scale_part(const std::string& name, int64_t along, int64_t start, int64_t length, Along kept,
                            size_t index = 0);
  /// States that axis `to` of the result has every `step`-th position of axis `from` of argument `name`.
  void propagate_scale_steps(const std::string& name, int64_t from, int64_t to, int64_t step);
  /// Whether the argument is computed only from parameters.
  bool is_of_parameters(const std::string& name, std::optional<size_t> element = std::nullopt) const;
  /// Whether axis `axis` of the argument `name` is scaled by parameters.
  bool has_scale_source(const std::string& name, int64_t axis,
                        std::optional<size_t> element = std::nullopt) const;
  /// Whether slices of the argument along the axis are the weights of a softmax.
  bool is_softmax(const std::string& name, int64_t axis) const;
  /// Whether result `index` is used.
  bool is_read(size_t index) const;
  /// Sets the integer that the call computes to the size `size`, with unordered products and sums (see
  /// Algebra::equate_size).
  void set_integer(const AxisStructure& size, size_t index = 0);
  /// Returns an integer argument as such a size: for a non-negative constant, a new variable that determines
  /// the argument. Nothing if unknown.
  std::optional<AxisStructure> integer_axis(const std::string& name);
  /// whole = part·factor, and whole = part + rest, of sizes.
  void equate_quotient(const AxisStructure& whole, const AxisStructure& part, const AxisStructure& factor);
  void equate_difference(const AxisStructure& whole, const AxisStructure& part, const AxisStructure& rest);

  /// Returns `axis` counted from the front. Throws std::invalid_argument outside [-rank, rank).
  int64_t normalize(int64_t axis, size_t rank) const;

 private:
  const Argument& argument(const std::string& name) const;
  ValueId tensor(const std::string& name, std::optional<size_t> element) const;
  std::optional<size_t> position(const std::string& name) const;
  /// Records that the call sums over an axis shared by the places.
  void sum(const std::vector<Place>& places, const AxisStructure& over, SumKind kind, double power = 1);

  Analysis& analysis_;
  size_t call_index_;
  std::string site_;
  std::vector<ValueId> results_;
  bool of_parameters_;  // computed only from parameters
};

/// A rule with its line of documentation.
struct OperatorRule {
  /// "aten::conv2d" for all overloads and the in-place form, or "aten::add.Tensor" for one overload.
  std::string op;
  std::string doc;  // "out [n, o, h', w'] = input [n, g·i, h, w], weight [g·o, i, kh, kw]; i consumed"
  std::function<void(RuleContext&)> apply;
};

/// Rules by operator. Add your own to a copy of `standard()`.
class RuleTable {
 public:
  /// Every rule of the library.
  static RuleTable standard();

  /// Throws std::invalid_argument if the operator already has a rule.
  void add(OperatorRule rule);
  /// One rule for several operators.
  void add(const std::vector<std::string>& ops, const std::string& doc,
           const std::function<void(RuleContext&)>& apply);
  /// Returns the rule for a call: that of its overload, else of its operator, else of the operator whose
  /// in-place form it is; nullptr if there is none.
  const OperatorRule* find(const Call& call) const;
  const std::map<std::string, OperatorRule>& rules() const { return rules_; }

 private:
  std::map<std::string, OperatorRule> rules_;
};

}  // namespace inn
