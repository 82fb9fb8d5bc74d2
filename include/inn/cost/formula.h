#pragma once
// How many multiply-adds an operator takes, from the sizes of its arguments. Each is one entry of a table.

#include <ATen/core/function_schema.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "inn/core/named_table.h"
#include "inn/network/network.h"

namespace inn {

using Sizes = std::vector<int64_t>;

/// One call with the sizes that its tensors had in a run.
class CallSizes {
 public:
  /// `sizes_of[v]` are the sizes of value v. All must outlive this.
  CallSizes(const Call& call, const std::vector<Sizes>& sizes_of);

  const Call& call() const { return call_; }
  /// Whether the schema has an argument of this name and a tensor stands there.
  bool has(const std::string& argument) const;
  /// Returns the sizes of the tensor that stands there. Throws std::invalid_argument where none does.
  const Sizes& of(const std::string& argument) const;
  /// Returns the sizes of the tensors in the list that stands there.
  std::vector<Sizes> list_of(const std::string& argument) const;
  /// Returns the constant that stands there, None where the schema has no such argument.
  c10::IValue constant(const std::string& argument) const;
  /// Returns the sizes of the first tensor that the call gives.
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

/// Returns the formulas. Operators that are not there count as none.
const GrowingTable<CostFormula>& cost_formulas();

/// Adds a formula. Throws std::invalid_argument for an operator that has one.
void register_cost_formula(CostFormula formula);

/// Returns the product of all sizes; 1 of none.
int64_t count_elements(const Sizes& sizes);

/// Returns the multiply-adds of an einsum that contracts its operands from left to right, as torch does: of
/// each pair the product of the sizes of all letters, without those that one operand alone has and that are
/// summed over before; none where the pair has no letter in common that is summed over (an outer product).
int64_t einsum_macs(const std::string& equation, const std::vector<Sizes>& operands);

}  // namespace inn
