#include "inn/dimension/algebra.h"

#include <algorithm>
#include <iterator>

#include "inn/core/error.h"

namespace inn {
namespace {

/// Returns the factors of a product, or the axis itself as its only factor.
std::vector<AxisStructure> factors_of(const AxisStructure& axis) {
  return axis.is_product() ? axis.parts : std::vector<AxisStructure>{axis};
}

bool contains(const AxisStructure& axis, VariableId variable) {
  bool found = false;
  axis.for_each_variable([&](const AxisStructure& leaf) { found = found || leaf.variable == variable; });
  return found;
}

/// Returns the axis with a fixed variable for each number between the terms of a sum, so that each
/// of its parts has a name.
AxisStructure name_numbers(Algebra& algebra, const AxisStructure& axis, const std::string& site) {
  AxisStructure named = axis;
  for (auto& part : named.parts) {
    part = name_numbers(algebra, part, site);
    if (!axis.is_sum() || !part.is_constant()) continue;
    part = algebra.fresh(part.size);
    algebra.fix(part, fmt::format("{} requires exactly {} channels", site, part.size));
  }
  return named;
}

}  // namespace

AxisStructure Algebra::fresh(int64_t size) {
  if (size == 0) return AxisStructure::of_constant(0);
  variables_.push_back({.size = size, .binding = {}, .pinned = {}, .site = {}});
  return AxisStructure::of_variable(static_cast<VariableId>(variables_.size() - 1), size);
}

AxisStructure Algebra::resolve(const AxisStructure& axis) const {
  switch (axis.kind) {
    case AxisStructure::Kind::constant:
      return axis;
    case AxisStructure::Kind::variable: {
      const auto& variable = variables_[axis.variable];
      return variable.binding ? resolve(*variable.binding) : axis;
    }
    default: {
      std::vector<AxisStructure> parts;
      parts.reserve(axis.parts.size());
      for (const auto& part : axis.parts) parts.push_back(resolve(part));
      return axis.is_product() ? AxisStructure::of_product(std::move(parts))
                               : AxisStructure::of_sum(std::move(parts));
    }
  }
}

void Algebra::pin(const AxisStructure& axis, const std::string& reason) {
  resolve(axis).for_each_variable([&](const AxisStructure& leaf) {
    auto& pinned = variables_[leaf.variable].pinned;
    if (!pinned) pinned = reason;
  });
}

void Algebra::fix(const AxisStructure& axis, const std::string& reason) {
  pin(axis, reason);
  resolve(axis).for_each_variable([&](const AxisStructure& leaf) { variables_[leaf.variable].fixed = true; });
}

bool Algebra::conflict(const AxisStructure& a, const AxisStructure& b, const std::string& site) {
  std::string before;
  for (const auto* axis : {&a, &b}) {
    resolve(*axis).for_each_variable([&](const AxisStructure& leaf) {
      const auto& other = variables_[leaf.variable].site;
      if (before.empty() && other != site) before = other;
    });
  }
  const auto reason =
      before.empty() ? fmt::format("{} requires a factorization of it that its other uses do not allow", site)
                     : fmt::format("{} and {} require incompatible factorizations", before, site);
  pin(a, reason);
  pin(b, reason);
  return false;
}

void Algebra::inherit(const Variable& from, const AxisStructure& to) {
  if (from.pinned) pin(to, *from.pinned);
  if (from.fixed) fix(to, *from.pinned);
  // A constant has no variable part; of a varying axis, one part may be a number.
  if (from.varies == Varies::never || to.is_variable())
    to.for_each_variable([&](const AxisStructure& leaf) { note(leaf, from.varies); });
}

void Algebra::note(const AxisStructure& variable, Varies varies) {
  resolve(variable).for_each_variable([&](const AxisStructure& leaf) {
    auto& known = variables_[leaf.variable].varies;
    if (known == Varies::unknown) known = varies;
  });
}

bool Algebra::may_be_one(VariableId variable, const AxisStructure& axis) const {
  const auto varies = variables_[variable].varies;
  if (varies == Varies::unknown || axis.is_constant()) return true;
  bool any_varies = false, all_stay = true;
  axis.for_each_variable([&](const AxisStructure& leaf) {
    any_varies = any_varies || variables_[leaf.variable].varies == Varies::always;
    all_stay = all_stay && variables_[leaf.variable].varies == Varies::never;
  });
  return varies == Varies::never ? !any_varies : !all_stay;
}

bool Algebra::unify(const AxisStructure& a, const AxisStructure& b, const std::string& site) {
  return unify_resolved(resolve(a), resolve(b), site);
}

bool Algebra::unify_resolved(const AxisStructure& a, const AxisStructure& b, const std::string& site) {
  if (a == b) return true;
  if (a.size != b.size) return conflict(a, b, site);
  // The younger variable is bound to the older, which keeps the chains that resolve() follows short.
  if (a.is_variable() && !(b.is_variable() && b.variable > a.variable)) return bind(a.variable, b, site);
  if (b.is_variable()) return bind(b.variable, a, site);
  if (a.is_constant() || b.is_constant()) {
    // A constant against a product or a sum: all its parts stay as they are.
    pin(a.is_constant() ? b : a, fmt::format("{} requires exactly {} channels", site, a.size));
    return true;
  }
  if (a.is_sum() && b.is_sum()) return unify_sums(a.parts, b.parts, site);
  if (a.is_sum()) return unify_product_with_sum(b, a.parts, site);
  if (b.is_sum()) return unify_product_with_sum(a, b.parts, site);
  return unify_products(a.parts, b.parts, site);
}

bool Algebra::bind(VariableId id, const AxisStructure& axis, const std::string& site) {
  if (axis.is_constant()) {
    // Pinned instead of bound, so that the group is still listed, with the reason.
    pin(AxisStructure::of_variable(id, axis.size),
        fmt::format("{} requires exactly {} channels", site, axis.size));
    return true;
  }
  if (contains(axis, id)) {
    // v = r·v: r must be 1; v is not constrained.
    const AxisStructure own = AxisStructure::of_variable(id, axis.size);
    if (!axis.is_product() || std::count(axis.parts.begin(), axis.parts.end(), own) != 1)
      return conflict(own, axis, site);
    for (const auto& factor : axis.parts)
      if (factor != own) pin(factor, fmt::format("{} fixes this dimension to size 1", site));
    return true;
  }
  if (!may_be_one(id, axis)) return conflict(AxisStructure::of_variable(id, axis.size), axis, site);
  const AxisStructure named = name_numbers(*this, axis, site);
  auto& variable = variables_[id];
  variable.binding = named;
  named.for_each_variable([&](const AxisStructure& leaf) { variables_[leaf.variable].site = site; });
  inherit(Variable(variable), named);
  return true;
}

bool Algebra::split_last(std::vector<AxisStructure>& factors, int64_t inner, const std::string& site) {
  AxisStructure last = factors.back();
  if (inner == 0 || last.size % inner != 0) return false;
  factors.pop_back();
  const int64_t outer = last.size / inner;
  if (last.is_constant()) {
    factors.push_back(AxisStructure::of_constant(outer));
    factors.push_back(AxisStructure::of_constant(inner));
    return true;
  }
  if (!last.is_variable()) return false;
  const std::vector<AxisStructure> split{fresh(outer), fresh(inner)};
  if (!bind(last.variable, AxisStructure::of_product(split), site)) return false;
  factors.insert(factors.end(), split.begin(), split.end());
  return true;
}

bool Algebra::unify_products(std::vector<AxisStructure> a, std::vector<AxisStructure> b,
                             const std::string& site) {
  const AxisStructure whole_a = AxisStructure::of_product(a), whole_b = AxisStructure::of_product(b);
  std::vector<AxisStructure> ones_a,
      ones_b;  // variables of size 1 that the other side has no partner for in their place
  while (!a.empty() && !b.empty()) {
    // Earlier steps may have refined what is left.
    for (auto* side : {&a, &b}) {
      auto refined = factors_of(resolve(side->back()));
      side->pop_back();
      side->insert(side->end(), refined.begin(), refined.end());
    }
    if (a.size() == 1 || b.size() == 1) {
      if (!unify(AxisStructure::of_product(a), AxisStructure::of_product(b), site)) return false;
      a.clear();
      b.clear();
      break;
    }
    AxisStructure &last_a = a.back(), &last_b = b.back();
    if (last_a.is_sum() || last_b.is_sum()) {
      // A sum inside a product meets as many factors of the other side as have its size.
      auto& other = last_a.is_sum() ? b : a;
      const AxisStructure sum = last_a.is_sum() ? last_a : last_b;
      (last_a.is_sum() ? a : b).pop_back();
      std::vector<AxisStructure> suffix;
      int64_t size = 1;
      while (!other.empty() && size < sum.size) {
        int64_t needed = sum.size / size;
        if (other.back().size > needed && !split_last(other, needed, site)) break;
        size *= other.back().size;
        suffix.insert(suffix.begin(), other.back());
        other.pop_back();
      }
      if (size != sum.size) return conflict(whole_a, whole_b, site);
      if (!unify(sum, AxisStructure::of_product(suffix), site)) return false;
      continue;
    }
    if ((last_a.size == 1) != (last_b.size == 1)) {
      auto& side = last_a.size == 1 ? a : b;
      (last_a.size == 1 ? ones_a : ones_b).push_back(side.back());
      side.pop_back();
      continue;
    }
    if (last_a.size != last_b.size) {
      auto& longer = last_a.size > last_b.size ? a : b;
      const int64_t inner = std::min(last_a.size, last_b.size);
      if (!split_last(longer, inner, site)) return conflict(whole_a, whole_b, site);
    }
    if (!unify(a.back(), b.back(), site)) return false;
    a.pop_back();
    b.pop_back();
  }
  // Only factors of size 1 can remain on one side, and they cannot grow. Factors that occur elsewhere on both
  // sides may be 1 (a batch of one).
  ones_a.insert(ones_a.end(), a.rbegin(), a.rend());
  ones_b.insert(ones_b.end(), b.rbegin(), b.rend());
  for (const auto* side : {&ones_a, &ones_b})
    for (const auto& factor : *side) pin(factor, fmt::format("{} fixes this dimension to size 1", site));
  for (size_t i = 0; i < std::min(ones_a.size(), ones_b.size()); ++i)
    if (!unify(ones_a[i], ones_b[i], site)) return false;
  return true;
}

std::optional<std::pair<AxisStructure, AxisStructure>> Algebra::cut_inside(const AxisStructure& product,
                                                                           int64_t position,
                                                                           const std::string& site) {
  const AxisStructure& outer = product.parts[0];
  const AxisStructure rest =
      AxisStructure::of_product({std::next(product.parts.begin()), product.parts.end()});
  bool is_number = outer.is_variable();  // the rest keeps its size, so its parts are numbers
  rest.for_each_variable(
      [&](const AxisStructure& leaf) { is_number = is_number && variables_[leaf.variable].pinned; });
  if (!is_number) return std::nullopt;
  const int64_t index = position / rest.size, inside = position % rest.size;
  const AxisStructure first = fresh(index), last = fresh(outer.size - index - 1);
  AxisStructure single = outer;
  if (outer.size > 1) {
    single = fresh(1);
    if (!bind(outer.variable, AxisStructure::of_sum({first, single, last}), site)) return std::nullopt;
  }
  pin(single, fmt::format("{} splits inside one of its positions", site));
  return std::pair{
      AxisStructure::of_sum({AxisStructure::of_product({first, rest}), AxisStructure::of_constant(inside)}),
      AxisStructure::of_sum(
          {AxisStructure::of_constant(rest.size - inside), AxisStructure::of_product({last, rest})})};
}

std::optional<std::pair<AxisStructure, AxisStructure>> Algebra::cut(const AxisStructure& unresolved,
                                                                    int64_t position,
                                                                    const std::string& site) {
  const AxisStructure axis = resolve(unresolved);
  if (position < 0 || position > axis.size) return std::nullopt;
  if (position == 0) return std::pair{AxisStructure::of_constant(0), axis};
  if (position == axis.size) return std::pair{axis, AxisStructure::of_constant(0)};
  if (axis.is_constant())
    return std::pair{AxisStructure::of_constant(position), AxisStructure::of_constant(axis.size - position)};
  if (axis.is_variable()) {
    const AxisStructure before = fresh(position), after = fresh(axis.size - position);
    bind(axis.variable, AxisStructure::of_sum({before, after}), site);
    return std::pair{before, after};
  }
  if (axis.is_product()) {
    const std::vector<AxisStructure> rest(std::next(axis.parts.begin()), axis.parts.end());
    const int64_t inner = axis.size / axis.parts[0].size;
    if (position % inner != 0) return cut_inside(axis, position, site);
    const auto outer = cut(axis.parts[0], position / inner, site);
    if (!outer) return std::nullopt;
    const auto with_rest = [&rest](const AxisStructure& factor) {
      std::vector<AxisStructure> factors{factor};
      factors.insert(factors.end(), rest.begin(), rest.end());
      return AxisStructure::of_product(std::move(factors));
    };
    return std::pair{with_rest(outer->first), with_rest(outer->second)};
  }
  std::vector<AxisStructure> before, after;
  int64_t begin = 0;
  for (const auto& term : axis.parts) {
    const int64_t end = begin + term.size;
    if (end <= position) {
      before.push_back(term);
    } else if (begin >= position) {
      after.push_back(term);
    } else {
      const auto halves = cut(term, position - begin, site);
      if (!halves) return std::nullopt;
      before.push_back(halves->first);
      after.push_back(halves->second);
    }
    begin = end;
  }
  return std::pair{AxisStructure::of_sum(std::move(before)), AxisStructure::of_sum(std::move(after))};
}

bool Algebra::unify_sums(std::vector<AxisStructure> a, std::vector<AxisStructure> b,
                         const std::string& site) {
  const AxisStructure whole_a = AxisStructure::of_sum(a), whole_b = AxisStructure::of_sum(b);
  std::reverse(a.begin(), a.end());  // the next term is the last of the list
  std::reverse(b.begin(), b.end());
  bool all = true;
  while (!a.empty() && !b.empty()) {
    if (a.back().size == b.back().size) {
      all = unify(a.back(), b.back(), site) && all;
      a.pop_back();
      b.pop_back();
      continue;
    }
    auto& longer = a.back().size > b.back().size ? a : b;
    auto& shorter = a.back().size > b.back().size ? b : a;
    if (const auto halves = cut(longer.back(), shorter.back().size, site)) {
      all = unify(halves->first, shorter.back(), site) && all;
      shorter.pop_back();
      longer.back() = halves->second;
      continue;
    }
    // The longer term can't be cut there: it meets as many terms as fill it.
    std::vector<AxisStructure> segment;
    int64_t size = 0;
    while (!shorter.empty() && size < longer.back().size) {
      size += shorter.back().size;
      segment.push_back(shorter.back());
      shorter.pop_back();
    }
    if (size != longer.back().size) return conflict(whole_a, whole_b, site);
    all = unify(longer.back(), AxisStructure::of_sum(segment), site) && all;
    longer.pop_back();
  }
  return all;
}

bool Algebra::unify_product_with_sum(const AxisStructure& product, const std::vector<AxisStructure>& terms,
                                     const std::string& site) {
  const std::vector<AxisStructure> rest(std::next(product.parts.begin()), product.parts.end());
  const AxisStructure& outer = product.parts[0];
  const int64_t inner = product.size / outer.size;
  if (outer.size == 1) {
    pin(outer, fmt::format("{} fixes this dimension to size 1", site));
    return unify(AxisStructure::of_product(rest), AxisStructure::of_sum(terms), site);
  }
  // Segments of terms whose sizes are multiples of what lies inside the outermost factor.
  std::vector<std::vector<AxisStructure>> segments(1);
  std::vector<int64_t> counts;
  int64_t size = 0;
  for (const auto& term : terms) {
    segments.back().push_back(term);
    size += term.size;
    if (size % inner == 0) {
      counts.push_back(size / inner);
      segments.emplace_back();
      size = 0;
    }
  }
  segments.pop_back();
  if (size != 0) return conflict(product, AxisStructure::of_sum(terms), site);
  if (segments.size() == 1) return conflict(product, AxisStructure::of_sum(terms), site);
  std::vector<AxisStructure> pieces;
  const bool single = std::all_of(counts.begin(), counts.end(), [](int64_t count) { return count == 1; });
  if (outer.is_variable() && !single) {
    for (const auto count : counts) pieces.push_back(fresh(count));
    if (!bind(outer.variable, AxisStructure::of_sum(pieces), site)) return false;
  } else {
    // Cut into single positions, the outermost factor is a number: 2·c against c ⊕ c.
    pin(outer, fmt::format("{} treats its positions individually", site));
    for (const auto count : counts) pieces.push_back(AxisStructure::of_constant(count));
  }
  bool all = true;
  for (size_t i = 0; i < segments.size(); ++i) {
    std::vector<AxisStructure> factors{pieces[i]};
    factors.insert(factors.end(), rest.begin(), rest.end());
    all =
        unify(AxisStructure::of_product(std::move(factors)), AxisStructure::of_sum(segments[i]), site) && all;
  }
  return all;
}

}  // namespace inn
