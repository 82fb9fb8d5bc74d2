#pragma once
// Unification of axes: finds which axes must have the same size, from equations.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "inn/dimension/axis.h"

namespace inn {

/// The variables and their bindings. `unify` states an equation; every equation only refines the structure.
///
/// A variable is free, bound to an axis, or merged with another variable. A pinned variable cannot be
/// resized, for a recorded reason. Sizes that are equal by coincidence are never unified: only equations
/// unify.
class Algebra {
 public:
  /// Returns a new free variable as an axis. A size of 0 gives the constant 0.
  AxisStructure fresh(int64_t size);

  /// States that `a` and `b` are the same axis, as required by `site` (an operator's name and module).
  ///
  /// Variables are merged, bound, or split into factors or parts where the other side is finer, such that the
  /// result is the coarsest structure common to both. If neither refines the other, both are pinned with the
  /// names of both sites and false is returned.
  bool unify(const AxisStructure& a, const AxisStructure& b, const std::string& site);

  /// Splits `axis` at `position` into the parts before and after, splitting a variable or an outermost
  /// factor. A boundary inside one position of v·k, k pinned, keeps that position whole and pins it: v = v₁ ⊕
  /// 1 ⊕ v₂. Returns nothing, and changes nothing, if the boundary is inside something that cannot be split.
  std::optional<std::pair<AxisStructure, AxisStructure>> cut(const AxisStructure& axis, int64_t position,
                                                             const std::string& site);

  /// States that `axis` has the size `size`, an integer that the network computes at `site`.
  ///
  /// Products and sums of sizes are unordered: 4·n is the size of [n·2·2] and of [4·n], and only an axis with
  /// this size determines an order. The equation is therefore one of polynomials: common terms and factors
  /// are cancelled, and a remaining single variable equals the other side (4 = 2·2). An equation that cannot
  /// be solved yet is kept until others refine `axis`.
  void equate_size(const AxisStructure& axis, const AxisStructure& size, const std::string& site);
  /// States whole = part·factor for three unordered sizes.
  void equate_quotient(const AxisStructure& whole, const AxisStructure& part, const AxisStructure& factor,
                       const std::string& site);
  /// States whole = part + rest.
  void equate_difference(const AxisStructure& whole, const AxisStructure& part, const AxisStructure& rest,
                         const std::string& site);
  /// Solves the equations of sizes that can be solved now.
  void settle_sizes();
  /// Pins the variables of unsolved equations.
  void pin_open_sizes();

  /// Records whether the size of a variable varies between runs (a batch, an image's height) or is constant
  /// (a number in the network, an axis of a parameter). The two are never unified, even if their example
  /// sizes are equal: they conflict.
  enum class Varies { unknown, always, never };
  void note(const AxisStructure& variable, Varies varies);

  /// Pins every variable of `axis`. The first reason is kept.
  void pin(const AxisStructure& axis, const std::string& reason);
  /// Pins every variable of `axis` as positional (e.g. kernel positions): its groups are listed last.
  void fix(const AxisStructure& axis, const std::string& reason);

  /// Returns the axis in terms of free variables, in normal form.
  AxisStructure resolve(const AxisStructure& axis) const;

  /// Returns the reason why the free variable is pinned, or nothing.
  const std::optional<std::string>& pinned(VariableId variable) const { return variables_[variable].pinned; }
  bool is_fixed(VariableId variable) const { return variables_[variable].fixed; }
  size_t variable_count() const { return variables_.size(); }

 private:
  struct Variable {
    int64_t size;
    std::optional<AxisStructure> binding;  // to another variable too
    std::optional<std::string> pinned;
    bool fixed = false;
    std::string site;  // the site of its last equation
    Varies varies = Varies::unknown;
  };
  /// Two equal sizes. Only an axis (`left_is_axis`) determines an order.
  struct SizeEquation {
    AxisStructure left, right;
    bool left_is_axis;
    std::string site;
  };

  bool unify_resolved(const AxisStructure& a, const AxisStructure& b, const std::string& site);
  bool bind(VariableId variable, const AxisStructure& axis, const std::string& site);
  bool unify_products(std::vector<AxisStructure> a, std::vector<AxisStructure> b, const std::string& site);
  bool unify_sums(std::vector<AxisStructure> a, std::vector<AxisStructure> b, const std::string& site);
  bool unify_product_with_sum(const AxisStructure& product, const std::vector<AxisStructure>& terms,
                              const std::string& site);
  /// Splits, inside one position, a product whose outermost factor is a variable and whose other factors are
  /// constant.
  std::optional<std::pair<AxisStructure, AxisStructure>> cut_inside(const AxisStructure& product,
                                                                    int64_t position,
                                                                    const std::string& site);
  /// Replaces the last factor by two, the inner one of size `inner`. Returns false if that is impossible.
  bool split_last(std::vector<AxisStructure>& factors, int64_t inner, const std::string& site);
  bool conflict(const AxisStructure& a, const AxisStructure& b, const std::string& site);
  void inherit(const Variable& from, const AxisStructure& to);
  /// False if one varies and the other is constant.
  bool may_be_one(VariableId variable, const AxisStructure& axis) const;
  /// Returns true if nothing more can be derived from it.
  bool settle(const SizeEquation& equation);

  std::vector<Variable> variables_;
  std::vector<SizeEquation> open_sizes_;
};

}  // namespace inn
