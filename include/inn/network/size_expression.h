#pragma once
// Sizes as expressions in the widths, in place of the constants of an exported graph.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace inn {

using SymbolId = int32_t;

/// A polynomial in size symbols: Σ_t coefficient_t · Π symbols_t. `view(x, [2, 768])` becomes `view(x,
/// [batch, 12·d])`.
///
/// Normal form: terms sorted by their symbols, each symbol list sorted, no two terms with equal symbols, no
/// zero coefficient. Two expressions are equal as polynomials if and only if they compare equal.
class SizeExpression {
 public:
  struct Term {
    int64_t coefficient;
    std::vector<SymbolId> symbols;  // sorted; a symbol may repeat
    bool operator==(const Term&) const = default;
  };

  SizeExpression() = default;
  static SizeExpression constant(int64_t value);
  static SizeExpression symbol(SymbolId symbol);

  SizeExpression operator+(const SizeExpression& other) const;
  SizeExpression operator*(const SizeExpression& other) const;
  bool operator==(const SizeExpression&) const = default;

  /// Returns the value for symbols s = `values[s]`. Throws std::out_of_range for a symbol without a value.
  int64_t evaluate(std::span<const int64_t> values) const;
  bool is_constant() const { return terms_.empty() || (terms_.size() == 1 && terms_[0].symbols.empty()); }
  const std::vector<Term>& terms() const { return terms_; }

 private:
  std::vector<Term> terms_;
};

}  // namespace inn
