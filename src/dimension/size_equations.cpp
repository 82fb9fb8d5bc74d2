// Equations of sizes: polynomials in variables, whose products and sums have no order.

#include <algorithm>
#include <map>
#include <numeric>

#include "analysis.h"
#include "inn/core/error.h"
#include "inn/dimension/algebra.h"

namespace inn {
namespace {

/// Coefficients by monomial: a product of variables, sorted.
using Polynomial = std::map<std::vector<VariableId>, int64_t>;

Polynomial polynomial(const AxisStructure& axis) {
  Polynomial terms;
  // Its symbols are the algebra's variables.
  const auto size = size_expression(axis, [](const AxisStructure& leaf) { return leaf.variable; });
  for (const auto& term : size.terms()) terms.emplace(term.symbols, term.coefficient);
  return terms;
}

/// Cancels terms that both sides share, then common factors.
void cancel(Polynomial& left, Polynomial& right) {
  for (auto& [monomial, coefficient] : left) {
    const auto same = right.find(monomial);
    if (same == right.end()) continue;
    const int64_t shared = std::min(coefficient, same->second);
    coefficient -= shared;
    same->second -= shared;
  }
  for (auto* side : {&left, &right}) std::erase_if(*side, [](const auto& term) { return term.second == 0; });
  if (left.empty() || right.empty()) return;
  std::vector<VariableId> common = left.begin()->first;
  int64_t divisor = 0;
  for (const auto* side : {&left, &right}) {
    for (const auto& [monomial, coefficient] : *side) {
      std::vector<VariableId> both;
      std::set_intersection(common.begin(), common.end(), monomial.begin(), monomial.end(),
                            std::back_inserter(both));
      common = both;
      divisor = std::gcd(divisor, coefficient);
    }
  }
  for (auto* side : {&left, &right}) {
    Polynomial divided;
    for (const auto& [monomial, coefficient] : *side) {
      std::vector<VariableId> rest;
      std::set_difference(monomial.begin(), monomial.end(), common.begin(), common.end(),
                          std::back_inserter(rest));
      divided[rest] = coefficient / divisor;
    }
    *side = std::move(divided);
  }
}

/// The variables of an axis with their sizes, in its order.
std::vector<AxisStructure> leaves_of(const AxisStructure& axis) {
  std::vector<AxisStructure> leaves;
  axis.for_each_variable([&](const AxisStructure& leaf) { leaves.push_back(leaf); });
  return leaves;
}

/// The factors of a term in the order that the leaves have, its number first.
std::vector<AxisStructure> ordered(const std::vector<VariableId>& monomial, int64_t coefficient,
                                   const std::vector<AxisStructure>& leaves) {
  std::vector<AxisStructure> factors;
  if (coefficient != 1) factors.push_back(AxisStructure::of_constant(coefficient));
  std::vector<VariableId> left = monomial;
  for (const auto& leaf : leaves) {
    const auto found = std::find(left.begin(), left.end(), leaf.variable);
    if (found == left.end()) continue;
    factors.push_back(leaf);
    left.erase(found);
  }
  return factors;
}

/// The polynomial as an axis, in the order that the leaves have.
AxisStructure ordered(const Polynomial& terms, const std::vector<AxisStructure>& leaves) {
  std::vector<std::vector<AxisStructure>> products;
  for (const auto& [monomial, coefficient] : terms)
    products.push_back(ordered(monomial, coefficient, leaves));
  const auto place = [&](const std::vector<AxisStructure>& factors) {
    return factors.empty() ? leaves.end() : std::find(leaves.begin(), leaves.end(), factors.back());
  };
  std::stable_sort(products.begin(), products.end(),
                   [&](const auto& a, const auto& b) { return place(a) < place(b); });
  std::vector<AxisStructure> sum;
  for (auto& factors : products) sum.push_back(AxisStructure::of_product(std::move(factors)));
  return AxisStructure::of_sum(std::move(sum));
}

/// The side as a single variable, if it is one.
const AxisStructure* alone(const Polynomial& side, const std::vector<AxisStructure>& leaves) {
  if (side.size() != 1) return nullptr;
  const auto& [monomial, coefficient] = *side.begin();
  if (coefficient != 1 || monomial.size() != 1) return nullptr;
  return &*std::find_if(leaves.begin(), leaves.end(),
                        [&](const AxisStructure& leaf) { return leaf.variable == monomial[0]; });
}

/// Assigns to each of `factors`, in any order, the neighbouring `places` with its size; nothing if that is
/// impossible. If several assignments are possible they are equivalent: the product is the same size.
std::vector<std::pair<AxisStructure, AxisStructure>> matched(std::vector<AxisStructure> factors,
                                                             const std::vector<AxisStructure>& places) {
  constexpr size_t kMostFactors = 5;
  if (factors.size() > kMostFactors) return {};
  std::vector<size_t> order(factors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  do {
    std::vector<std::pair<AxisStructure, AxisStructure>> pairs;
    size_t next = 0;
    for (const auto k : order) {
      std::vector<AxisStructure> filling;
      int64_t size = 1;
      while (next < places.size() && size < factors[k].size) {
        size *= places[next].size;
        filling.push_back(places[next++]);
      }
      if (size != factors[k].size) break;
      pairs.emplace_back(factors[k], AxisStructure::of_product(std::move(filling)));
    }
    if (pairs.size() == factors.size() && next == places.size()) return pairs;
  } while (std::next_permutation(order.begin(), order.end()));
  return {};
}

}  // namespace

void Algebra::equate_size(const AxisStructure& axis, const AxisStructure& size, const std::string& site) {
  open_sizes_.push_back({axis, size, true, site});
}

void Algebra::equate_quotient(const AxisStructure& whole, const AxisStructure& part,
                              const AxisStructure& factor, const std::string& site) {
  open_sizes_.push_back({whole, AxisStructure::of_product({part, factor}), false, site});
}

void Algebra::equate_difference(const AxisStructure& whole, const AxisStructure& part,
                                const AxisStructure& rest, const std::string& site) {
  open_sizes_.push_back({whole, AxisStructure::of_sum({part, rest}), false, site});
}

bool Algebra::settle(const SizeEquation& equation) {
  const AxisStructure axis = resolve(equation.left), size = resolve(equation.right);
  Polynomial left = polynomial(axis), right = polynomial(size);
  cancel(left, right);
  if (left.empty() && right.empty()) return true;
  if (left.empty() || right.empty()) {
    conflict(axis, size, equation.site);
    return true;
  }
  const auto places = leaves_of(axis), factors = leaves_of(size);
  const AxisStructure *left_alone = alone(left, places), *right_alone = alone(right, factors);
  const auto is_number = [](const Polynomial& side) {
    return side.size() == 1 && side.begin()->first.empty();
  };
  if (right_alone != nullptr && (equation.left_is_axis || left_alone != nullptr || is_number(left))) {
    unify(*right_alone, ordered(left, places), equation.site);
    return true;
  }
  if (left_alone != nullptr && is_number(right)) {
    unify(*left_alone, ordered(right, factors), equation.site);
    return true;
  }
  if (!equation.left_is_axis || left.size() != 1 || right.size() != 1 || left_alone != nullptr) return false;
  const auto pairs = matched(ordered(right.begin()->first, right.begin()->second, factors),
                             ordered(left.begin()->first, left.begin()->second, places));
  for (const auto& [factor, filling] : pairs) unify(factor, filling, equation.site);
  return !pairs.empty();
}

void Algebra::settle_sizes() {
  for (bool learned = true; learned && !open_sizes_.empty();) {
    const auto open = std::exchange(open_sizes_, {});
    learned = false;
    for (const auto& equation : open) {
      if (settle(equation))
        learned = true;
      else
        open_sizes_.push_back(equation);
    }
  }
}

void Algebra::pin_open_sizes() {
  for (const auto& [left, right, is_axis, site] : std::exchange(open_sizes_, {}))
    for (const auto* side : {&left, &right})
      pin(*side, fmt::format("{} computes with its size in a way that does not determine its factors", site));
}

}  // namespace inn
