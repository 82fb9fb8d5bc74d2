#pragma once
// What an operator says of the axes of its arguments and results.

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "inn/dimension/algebra.h"
#include "inn/network/network.h"

namespace inn {

class Analysis;

/// What the weights w of a quadrature do in a sum: in Σ x they multiply each term; in (Σ |x|^p)^(1/p) they
/// multiply x as w^(1/p); in a softmax or a logsumexp, Σ exp x, log w is added to x.
enum class SumKind { sum, norm, logarithm, softmax };

/// The axes of one tensor.
using Axes = std::vector<Axis>;

/// One call as a rule sees it: its arguments by name, the axes of its tensors, and the equations that it may
/// state.
///
/// A rule sets the axes of every tensor result (`set_result`). What it leaves unset is a fault of the rule
/// and throws.
class RuleContext {
 public:
  RuleContext(Analysis& analysis, size_t call_index);

  const Call& call() const;
  /// "aten::conv2d (layer1.0.conv1)": what messages call this call.
  const std::string& site() const { return site_; }

  // ---- arguments, by the names of the schema ----
  bool has(const std::string& name) const;  // there, and not None
  bool is_tensor(const std::string& name) const;
  /// The constant, or `fallback` where it is absent or None. Throws where it is not a constant of that type.
  int64_t integer(const std::string& name, int64_t fallback = 0) const;
  double number(const std::string& name, double fallback = 0) const;
  bool flag(const std::string& name, bool fallback = false) const;
  std::string text(const std::string& name, const std::string& fallback = "") const;
  /// A list of integers; -1 stands for an element that the network computes. One integer is a list of one.
  std::vector<int64_t> integers(const std::string& name) const;
  size_t list_size(const std::string& name) const;
  /// The names of the arguments that are single tensors, in order.
  std::vector<std::string> tensor_arguments() const;

  /// The axes of a tensor argument, resolved. Throws where it is None or no tensor.
  Axes axes(const std::string& name) const;
  /// The axes of each tensor of a list argument; a None in it gives no entry.
  std::vector<Axes> list_axes(const std::string& name) const;
  /// Which tensors of a list of optional tensors are there.
  std::vector<bool> optional_tensors(const std::string& name) const;
  /// The dtypes of the tensors of a list argument, without the None in it.
  std::vector<c10::ScalarType> list_dtypes(const std::string& name) const;
  /// The sizes of result `index`, in the example run.
  const std::vector<int64_t>& result_sizes(size_t index = 0) const;
  size_t result_count() const { return results_.size(); }

  /// Returns the axis that the integer argument `name` (element `element` of a list) stands for: what is
  /// known of it where the network computes it; else a new variable of size `actual`, which the argument
  /// follows from now on.
  Axis size_argument(const std::string& name, int64_t actual, std::optional<size_t> element = std::nullopt);
  /// The integer argument is the size of `axis` and follows it. A negative constant (-1: "whatever is left")
  /// stays.
  void follow(const std::string& name, const Axis& axis, std::optional<size_t> element = std::nullopt);

  // ---- equations ----
  Axis fresh(int64_t size);
  void unify(const Axis& a, const Axis& b);
  /// Unifies axis by axis; the counts must be equal.
  void unify(const Axes& a, const Axes& b);
  void pin(const Axis& axis, const std::string& reason);
  void fix(const Axis& axis);
  std::optional<std::pair<Axis, Axis>> cut(const Axis& axis, int64_t position);
  bool is_pinned(const Axis& axis) const;  // every variable of it
  /// Returns a new axis of positions that are no channels: what a window, a sort or a lookup leaves. Never a
  /// group.
  Axis positions(int64_t size);
  /// The argument becomes this constant: what a default that depends on a width was at the source's width.
  void set_constant(const std::string& name, c10::IValue value);

  /// The call, which takes `self` apart along an axis, becomes aten::split_with_sizes: the parts may then
  /// get unlike widths. Its arguments are those that `follow` names from now on.
  void replace_by_sizes(int64_t along);

  /// States that the call sums over axis `axis` of the tensor argument `name` (of a list: its tensor
  /// `element`), so that tensors read there are consumers.
  void consume(const std::string& name, int64_t axis, std::optional<size_t> element = std::nullopt);
  /// An axis of a tensor argument (of a list: of its tensor `element`).
  struct Place {
    std::string name;
    int64_t axis;
    std::optional<size_t> element = std::nullopt;
  };
  /// States that the call sums the product of these tensors over the axis that they share. Its quadrature
  /// belongs into one of them: the first that is made of parameters alone, else the first whose slices are
  /// scaled by parameters; but only if nothing else sees those. Where one of them holds weights already
  /// (`softmax`), there is nothing to add.
  void contract(const std::vector<Place>& places);
  /// The same for the factor or part `part` of that axis only.
  void consume_part(const std::string& name, int64_t axis, const Axis& part);
  /// States that the call takes the norm (Σ |x|^power)^(1/power) of the argument over the axis.
  void norm(const std::string& name, int64_t axis, double power);
  /// States that the call takes log Σ exp of the argument over the axis.
  void log_sum(const std::string& name, int64_t axis);
  /// States that slices of result 0 along the axis are weights whose sum is 1: an average over them needs no
  /// others.
  void softmax(const std::string& name, int64_t axis);
  /// States that the call's result has the axis of the argument, and in each slice depends on all of them: a
  /// normalization over it. What sums, averages or takes a norm is known to.
  void normalize_over(const std::string& name, int64_t axis);

  /// The values of the argument have bounds that interpolation must not leave (a variance is never negative).
  void clamp_to_source_range(const std::string& name);

  /// The axes of result `index`.
  void set_result(Axes axes, size_t index = 0);
  /// What `set_result` was given, resolved.
  Axes result_axes(size_t index = 0) const;
  /// Axis `to` of result `index` is made of axis `from` of argument `name` by position, and scaling a slice
  /// of the one scales that of the other. So what sums over the result there knows whose quadrature it is.
  void propagate_scale(const std::string& name, int64_t from, int64_t to, size_t index = 0);
  /// Slices along axis `to` of the result are scaled where those of all these places are: a weight and its
  /// bias, the terms of a sum. Nothing is known where one of them is scaled by nothing.
  void propagate_scales(const std::vector<Place>& places, int64_t to, size_t index = 0);
  /// Axes of the result hold the elements of axes of `name` in the same order under other sizes: those that
  /// begin at first_from with sizes `from`, those that begin at first_to with sizes `to`.
  void propagate_scale_reshaped(const std::string& name, int64_t first_from, const std::vector<int64_t>& from,
                                int64_t first_to, const std::vector<int64_t>& to);
  /// Result `index` is the part [start, start + length) of argument `name` along axis `along`, which it keeps
  /// or drops.
  enum class Along { kept, dropped };
  void propagate_scale_part(const std::string& name, int64_t along, int64_t start, int64_t length, Along kept,
                            size_t index = 0);
  /// The argument is made of parameters alone: what sums over its slices sums over theirs.
  bool is_of_parameters(const std::string& name, std::optional<size_t> element = std::nullopt) const;
  /// True where axis `axis` of the argument `name` is one that parameters scale.
  bool has_scale_source(const std::string& name, int64_t axis,
                        std::optional<size_t> element = std::nullopt) const;
  /// True where slices of the argument along the axis are weights that a softmax made.
  bool is_softmax(const std::string& name, int64_t axis) const;
  /// True where anything reads result `index`.
  bool is_read(size_t index) const;
  /// What is known of the integer that the call computes.
  void set_integer(const Axis& axis, size_t index = 0);
  std::optional<Axis> integer_axis(const std::string& name) const;

  /// Returns `axis` counted from the front. Throws std::invalid_argument outside [-rank, rank).
  int64_t normalize(int64_t axis, size_t rank) const;

 private:
  const Argument& argument(const std::string& name) const;
  ValueId tensor(const std::string& name, std::optional<size_t> element) const;
  std::optional<size_t> position(const std::string& name) const;
  /// Notes that the call sums over an axis that the places share.
  void sum(const std::vector<Place>& places, const Axis& over, SumKind kind, double power = 1);

  Analysis& analysis_;
  size_t call_index_;
  std::string site_;
  std::vector<ValueId> results_;
  bool of_parameters_;  // computed of parameters alone
};

/// A rule with its line of documentation.
struct Rule {
  std::string
      op;  // "aten::conv2d": all overloads and the in-place form; or "aten::add.Tensor" for one of them
  std::string doc;  // "out [n, o, h', w'] = input [n, g·i, h, w], weight [g·o, i, kh, kw]; i consumed"
  std::function<void(RuleContext&)> apply;
};

/// The rules by operator. A copy of `standard()` can be extended with rules of one's own.
class RuleTable {
 public:
  /// Every rule of the library.
  static RuleTable standard();

  /// Throws std::invalid_argument where the operator has a rule already.
  void add(Rule rule);
  /// Several operators under one rule.
  void add(const std::vector<std::string>& ops, const std::string& doc,
           const std::function<void(RuleContext&)>& apply);
  /// Returns the rule for a call: that of its overload, else of its operator, else of the operator it is the
  /// in-place form of; nullptr where there is none.
  const Rule* find(const Call& call) const;
  const std::map<std::string, Rule>& rules() const { return rules_; }

 private:
  std::map<std::string, Rule> rules_;
};

}  // namespace inn
