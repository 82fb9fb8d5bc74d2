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

  /// States that `axis` has the size `size`, an integer that the network computes at `site`.
  ///
  /// The products and sums of a size have no order: 4·n is the size of [n·2·2] and of [4·n] alike, and only
  /// an axis that has this size gives it one. So it is an equation of polynomials: what both sides share is
  /// taken out, and a variable that is left alone is what the other side is (4 = 2·2). An equation that does
  /// not say so yet waits for others to refine `axis`.
  void equate_size(const Axis& axis, const Axis& size, const std::string& site);
  /// States that three sizes, none of which gives the others an order, fulfil whole = part·factor.
  void equate_quotient(const Axis& whole, const Axis& part, const Axis& factor, const std::string& site);
  /// States that they fulfil whole = part + rest.
  void equate_difference(const Axis& whole, const Axis& part, const Axis& rest, const std::string& site);
  /// Solves the equations of sizes that can be solved by now.
  void settle_sizes();
  /// Pins the variables of the equations that nothing has solved.
  void pin_open_sizes();

  /// Notes of a variable that its size changes from run to run (a batch, an image's height), or that it is
  /// the same in every run (a number in the network, an axis of a parameter). The two are never one, even
  /// where their sizes in the example are: they conflict.
  enum class Varies { unknown, always, never };
  void note(const Axis& variable, Varies varies);

  /// Pins every variable of `axis`. The first reason stays.
  void pin(const Axis& axis, const std::string& reason);
  /// Pins every variable of `axis` as positions that are no channels (kernel taps): its groups are listed
  /// after all others.
  void fix(const Axis& axis, const std::string& reason);

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
    std::string site;  // the last equation that touched it
    Varies varies = Varies::unknown;
  };
  /// Two sizes that are equal. Only an axis (`left_is_axis`) has an order to give.
  struct SizeEquation {
    Axis left, right;
    bool left_is_axis;
    std::string site;
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
  /// False where one varies and the other never does.
  bool may_be_one(VariableId variable, const Axis& axis) const;
  /// Returns true where nothing is left to be learned of it.
  bool settle(const SizeEquation& equation);

  std::vector<Variable> variables_;
  std::vector<SizeEquation> open_sizes_;
};

}  // namespace inn
