#pragma once
// The structure of one axis of a tensor: a concatenation of products.

#include <cstdint>
#include <string>
#include <vector>

namespace inn {

using VariableId = int32_t;

/// The structure of an axis: `[3·h·d]`, `[g1 ⊕ g2]`, `[(g1 ⊕ g2)·49]`.
///
/// A tree. Leaves are variables (resizable) and constants; inner nodes are products, with the outermost
/// factor first as in memory, and sums (concatenations), in order. `size` is the current size.
struct AxisStructure {
  enum class Kind { variable, constant, product, sum } kind = Kind::constant;
  int64_t size = 1;
  VariableId variable = -1;          // of a variable
  std::vector<AxisStructure> parts;  // of a product or a sum

  static AxisStructure of_variable(VariableId variable, int64_t size);
  static AxisStructure of_constant(int64_t size);
  /// Returns the product in normal form: no product inside it, no factor 1, neighbouring constants
  /// multiplied, an outermost sum distributed over the rest: (a ⊕ b)·r = a·r ⊕ b·r.
  static AxisStructure of_product(std::vector<AxisStructure> factors);
  /// Returns the sum in normal form: no sum inside it, no part of size 0, neighbouring constants added.
  static AxisStructure of_sum(std::vector<AxisStructure> terms);

  bool is_variable() const { return kind == Kind::variable; }
  bool is_constant() const { return kind == Kind::constant; }
  bool is_product() const { return kind == Kind::product; }
  bool is_sum() const { return kind == Kind::sum; }
  bool operator==(const AxisStructure&) const = default;

  /// Calls `visit(const Axis& leaf)` for every variable in it, in order.
  template <class Visit>
  void for_each_variable(Visit&& visit) const {
    if (is_variable()) visit(*this);
    for (const auto& part : parts) part.for_each_variable(visit);
  }
};

}  // namespace inn
