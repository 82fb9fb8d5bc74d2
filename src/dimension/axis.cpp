#include "inn/dimension/axis.h"

#include <iterator>

namespace inn {

AxisStructure AxisStructure::of_variable(VariableId variable, int64_t size) {
  AxisStructure axis;
  axis.kind = Kind::variable;
  axis.size = size;
  axis.variable = variable;
  return axis;
}

AxisStructure AxisStructure::of_constant(int64_t size) {
  AxisStructure axis;
  axis.size = size;
  return axis;
}

AxisStructure AxisStructure::of_product(std::vector<AxisStructure> factors) {
  std::vector<AxisStructure> flat;
  const auto append = [&flat](AxisStructure factor) {
    if (factor.is_constant() && factor.size == 1) return;
    if (factor.is_constant() && !flat.empty() && flat.back().is_constant()) {
      flat.back().size *= factor.size;
      return;
    }
    flat.push_back(std::move(factor));
  };
  int64_t size = 1;
  for (auto& factor : factors) {
    size *= factor.size;
    if (factor.is_product()) {
      for (auto& part : factor.parts) append(std::move(part));
    } else {
      append(std::move(factor));
    }
  }
  if (flat.empty()) return of_constant(1);
  if (flat.size() == 1) return std::move(flat[0]);
  if (flat[0].is_sum()) {
    const std::vector<AxisStructure> rest(std::next(flat.begin()), flat.end());
    std::vector<AxisStructure> terms;
    for (auto& term : flat[0].parts) {
      std::vector<AxisStructure> product{std::move(term)};
      product.insert(product.end(), rest.begin(), rest.end());
      terms.push_back(of_product(std::move(product)));
    }
    return of_sum(std::move(terms));
  }
  AxisStructure axis;
  axis.kind = Kind::product;
  axis.size = size;
  axis.parts = std::move(flat);
  return axis;
}

AxisStructure AxisStructure::of_sum(std::vector<AxisStructure> terms) {
  std::vector<AxisStructure> flat;
  int64_t size = 0;
  const auto append = [&flat](AxisStructure term) {
    if (term.size == 0) return;
    if (term.is_constant() && !flat.empty() && flat.back().is_constant()) {
      flat.back().size += term.size;
      return;
    }
    flat.push_back(std::move(term));
  };
  for (auto& term : terms) {
    size += term.size;
    if (term.is_sum()) {
      for (auto& part : term.parts) append(std::move(part));
    } else {
      append(std::move(term));
    }
  }
  if (flat.empty()) return of_constant(0);
  if (flat.size() == 1) return std::move(flat[0]);
  AxisStructure axis;
  axis.kind = Kind::sum;
  axis.size = size;
  axis.parts = std::move(flat);
  return axis;
}

}  // namespace inn
