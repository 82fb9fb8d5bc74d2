#include "inn/network/size_expression.h"

#include <algorithm>
#include <map>

#include "inn/core/checked_integer.h"
#include "inn/core/error.h"

namespace inn {

SizeExpression SizeExpression::constant(int64_t value) {
  SizeExpression expression;
  if (value != 0) expression.terms_.push_back({value, {}});
  return expression;
}

SizeExpression SizeExpression::symbol(SymbolId symbol) {
  SizeExpression expression;
  expression.terms_.push_back({1, {symbol}});
  return expression;
}

SizeExpression SizeExpression::operator+(const SizeExpression& other) const {
  std::map<std::vector<SymbolId>, int64_t> sum;
  for (const auto* terms : {&terms_, &other.terms_})
    for (const auto& term : *terms) {
      auto& coefficient = sum[term.symbols];
      coefficient = checked_add(coefficient, term.coefficient);
    }
  SizeExpression result;
  for (auto& [symbols, coefficient] : sum)
    if (coefficient != 0) result.terms_.push_back({coefficient, symbols});
  return result;
}

SizeExpression SizeExpression::operator*(const SizeExpression& other) const {
  SizeExpression result;
  for (const auto& a : terms_) {
    for (const auto& b : other.terms_) {
      SizeExpression product;
      product.terms_.push_back({checked_multiply(a.coefficient, b.coefficient), a.symbols});
      auto& symbols = product.terms_[0].symbols;
      symbols.insert(symbols.end(), b.symbols.begin(), b.symbols.end());
      std::sort(symbols.begin(), symbols.end());
      result = result + product;
    }
  }
  return result;
}

int64_t SizeExpression::evaluate(std::span<const int64_t> values) const {
  int64_t sum = 0;
  for (const auto& term : terms_) {
    int64_t product = term.coefficient;
    for (const auto symbol : term.symbols) {
      require<std::out_of_range>(symbol >= 0 && static_cast<size_t>(symbol) < values.size(), "network",
                                 "Size symbol {}: there are {} symbols.", symbol, values.size());
      product = checked_multiply(product, values[symbol]);
    }
    sum = checked_add(sum, product);
  }
  return sum;
}

}  // namespace inn
