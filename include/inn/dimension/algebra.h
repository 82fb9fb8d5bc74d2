#pragma once
// Unification of axes: which axes must have one width, found from equations.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "inn/dimension/axis.h"

namespace inn {

/// Variables and what has been learned of them. Equations are stated by `unify`; every equation only refines.
///
/// A variable is free, bound to an axis, or one with another variable. A pinned variable keeps its size for
/// good, with the reason for the user. Sizes equal by chance never unify anything: only an equation does.
class Algebra {
 public:
  /// Returns a new free variable as an axis. A size of 0 gives the constant 0.
  Axis fresh(int64_t size);

  /// States that `a` and `b` are the same axis, as `site` (an operator's name and place) demands.
  ///
  /// Variables are merged, bound, or split into factors or parts where the other side is finer, so that what
  /// results is the coarsest structure that both have. Where there is none (neither refines the other), both
  /// are pinned with the names of both sites, and false is returned.
  bool unify(const Axis& a, const Axis& b, const std::string& site);

  /// Cuts `axis` at `position` into the part before and the part after, splitting a variable or an outermost
  /// factor. A cut inside one position of v·k, k pinned, leaves that position whole and pins it:
  /// v = v₁ ⊕ 1 ⊕ v₂. Returns nothing where the cut falls inside what can't be split (and changes nothing
  /// then).
  std::optional<std::pair<Axis, Axis>> cut(const Axis& axis, int64_t position, const std::string& site);

  /// Pins every variable of `axis`. The first reason stays.
  void pin(const Axis& axis, const std::string& reason);
  /// Pins every variable of `axis` as positions that are no channels (kernel taps): its groups are listed
  /// after all others.
  void fix(const Axis& axis, const std::string& reason);

  /// Returns the axis in terms of free variables, in normal form.
  Axis resolve(const Axis& axis) const;

  /// Returns why the free variable is pinned, or nothing.
  const std::optional<std::string>& pinned(VariableId variable) const { return variables_[variable].pinned; }
  bool is_fixed(VariableId variable) const { return variables_[variable].fixed; }
  size_t variable_count() const { return variables_.size(); }

 private:
  struct Variable {
    int64_t size;
    std::optional<Axis> binding;  // to another variable too
    std::optional<std::string> pinned;
    bool fixed = false;
    std::string site;  // the last equation that touched it
  };

  bool unify_resolved(const Axis& a, const Axis& b, const std::string& site);
  bool bind(VariableId variable, const Axis& axis, const std::string& site);
  bool unify_products(std::vector<Axis> a, std::vector<Axis> b, const std::string& site);
  bool unify_sums(std::vector<Axis> a, std::vector<Axis> b, const std::string& site);
  bool unify_product_with_sum(const Axis& product, const std::vector<Axis>& terms, const std::string& site);
  /// Cuts a product whose outermost factor is a variable and whose others are a number inside one position.
  std::optional<std::pair<Axis, Axis>> cut_inside(const Axis& product, int64_t position,
                                                  const std::string& site);
  /// Replaces the last factor by two, the inner of size `inner`. False where it can't be split so.
  bool split_last(std::vector<Axis>& factors, int64_t inner, const std::string& site);
  bool conflict(const Axis& a, const Axis& b, const std::string& site);
  void inherit(const Variable& from, const Axis& to);

  std::vector<Variable> variables_;
};

}  // namespace inn
