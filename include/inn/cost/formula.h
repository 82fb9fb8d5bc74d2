#pragma once
// Multiply-adds of operators from the sizes of their arguments, in one table.

#include <ATen/core/function_schema.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "inn/core/named_table.h"
#include "inn/network/network.h"

namespace inn {

using Sizes = std::vector<int64_t>;

/// One call with the sizes of its tensors in a run.
class CallSizes {
 public:
  /// `sizes_of[v]` are the sizes of value v. All must outlive this.
  CallSizes(const Call& call, const std::vector<Sizes>& sizes_of);

  const Call& call() const { return call_; }
  /// Whether the argument exists and is a tensor.
  bool has(const std::string& argument) const;
  /// Returns the sizes of that tensor argument. Throws std::invalid_argument if it is not a tensor.
  const Sizes& of(const std::string& argument) const;
  /// Returns the sizes of the tensors of that list argument.
  std::vector<Sizes> list_of(const std::string& argument) const;
  /// Returns that constant argument, None if the schema has no such argument.
  c10::IValue constant(const std::string& argument) const;
  /// Returns the sizes of the first result.
  const Sizes& output() const;

 private:
  const Argument* find(const std::string& argument) const;

  const Call& call_;
  const c10::FunctionSchema& schema_;
  const std::vector<Sizes>& sizes_of_;
};

/// The multiply-adds of one operator, whatever its overload.
struct CostFormula {
  std::string op;  // "aten::conv2d"
  std::function<int64_t(const CallSizes&)> macs;
};

/// Returns the formulas. Other operators count as 0.
const GrowingTable<CostFormula>& cost_formulas();

/// Adds a formula. Throws std::invalid_argument if the operator already has one.
void register_cost_formula(CostFormula formula);

/// Returns the product of all sizes; 1 if there are none.
int64_t count_elements(const Sizes& sizes);

/// Returns the multiply-adds of an einsum that contracts its operands from left to right, as torch does: for
/// each pair, the product of the sizes of all letters except those of a single operand that were already
/// summed over; 0 for an outer product.
int64_t einsum_macs(const std::string& equation, const std::vector<Sizes>& operands);

}  // namespace inn
