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
  Axis fresh(int64_t size);

  /// States that `a` and `b` are the same axis, as required by `site` (an operator's name and module).
  ///
  /// Variables are merged, bound, or split into factors or parts where the other side is finer, such that the
  /// result is the coarsest structure common to both. If neither refines the other, both are pinned with the
  /// names of both sites and false is returned.
  bool unify(const Axis& a, const Axis& b, const std::string& site);

  /// Splits `axis` at `position` into the parts before and after, splitting a variable or an outermost
  /// factor. A boundary inside one position of v·k, k pinned, keeps that position whole and pins it: v = v₁ ⊕
  /// 1 ⊕ v₂. Returns nothing, and changes nothing, if the boundary is inside something that cannot be split.
  std::optional<std::pair<Axis, Axis>> cut(const Axis& axis, int64_t position, const std::string& site);

  /// Pins every variable of `axis`. The first reason is kept.
  void pin(const Axis& axis, const std::string& reason);
  /// Pins every variable of `axis` as positional (e.g. kernel positions): never listed as a group.
  void fix(const Axis& axis);

  /// Returns the axis in terms of free variables, in normal form.
  Axis resolve(const Axis& axis) const;

  /// Returns the reason why the free variable is pinned, or nothing.
  const std::optional<std::string>& pinned(VariableId variable) const { return variables_[variable].pinned; }
  bool is_fixed(VariableId variable) const { return variables_[variable].fixed; }
  size_t variable_count() const { return variables_.size(); }

 private:
  struct Variable {
    int64_t size;
    std::optional<Axis> binding;  // to another variable too
    std::optional<std::string> pinned;
    bool fixed = false;
    std::string site;  // the site of its last equation
  };

  bool unify_resolved(const Axis& a, const Axis& b, const std::string& site);
  bool bind(VariableId variable, const Axis& axis, const std::string& site);
  bool unify_products(std::vector<Axis> a, std::vector<Axis> b, const std::string& site);
  bool unify_sums(std::vector<Axis> a, std::vector<Axis> b, const std::string& site);
  bool unify_product_with_sum(const Axis& product, const std::vector<Axis>& terms, const std::string& site);
  /// Splits, inside one position, a product whose outermost factor is a variable and whose other factors are
  /// constant.
  std::optional<std::pair<Axis, Axis>> cut_inside(const Axis& product, int64_t position,
                                                  const std::string& site);
  /// Replaces the last factor by two, the inner one of size `inner`. Returns false if that is impossible.
  bool split_last(std::vector<Axis>& factors, int64_t inner, const std::string& site);
  bool conflict(const Axis& a, const Axis& b, const std::string& site);
  void inherit(const Variable& from, const Axis& to);

  std::vector<Variable> variables_;
};

}  // namespace inn
