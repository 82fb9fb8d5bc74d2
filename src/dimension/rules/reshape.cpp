// Operators that read the same elements in the same order under other sizes: one list of products equals
// another.

#include "dimension/rules/rules.h"

namespace inn::rules {
namespace {

/// Equates two lists of axes that hold the same elements in the same order, piece by piece: a piece is the
/// shortest run of axes on either side with as many elements. Axes of size 1 at the end of a piece belong to
/// it.
void equate(RuleContext& context, const Axes& from, const std::string& name, size_t first_from,
            const Axes& to, size_t first_to) {
  size_t i = 0, j = 0;
  while (i < from.size() || j < to.size()) {
    const size_t begin_i = i, begin_j = j;
    int64_t size_i = i < from.size() ? from[i++].size : 1;
    int64_t size_j = j < to.size() ? to[j++].size : 1;
    while (size_i != size_j) {
      if (size_i < size_j) {
        if (i == from.size()) return;
        size_i *= from[i++].size;
      } else {
        if (j == to.size()) return;
        size_j *= to[j++].size;
      }
    }
    const auto only_ones_left = [](const Axes& axes, size_t begin) {
      for (size_t k = begin; k < axes.size(); ++k)
        if (axes[k].size != 1) return false;
      return true;
    };
    if (j == to.size() && only_ones_left(from, i)) i = from.size();
    if (i == from.size() && only_ones_left(to, j)) j = to.size();
    const Axes piece_from(from.begin() + static_cast<int64_t>(begin_i),
                          from.begin() + static_cast<int64_t>(i));
    const Axes piece_to(to.begin() + static_cast<int64_t>(begin_j), to.begin() + static_cast<int64_t>(j));
    context.unify(Axis::of_product(piece_from), Axis::of_product(piece_to));
    for (size_t a = begin_i; a < i; ++a)
      for (size_t b = begin_j; b < j; ++b)
        context.carry(name, static_cast<int64_t>(first_from + a), static_cast<int64_t>(first_to + b));
  }
}

/// The axes that a list of sizes stands for: -1 is what is left, an integer that the network computes is
/// known.
Axes target_axes(RuleContext& context, const std::string& sizes, size_t first) {
  Axes to;
  const auto burned = context.integers(sizes);
  for (size_t k = 0; k < burned.size(); ++k)
    to.push_back(context.size_argument(sizes, context.result_sizes().at(first + k), k));
  return to;
}

void reshape(RuleContext& context, const std::string& sizes) {
  const Axes from = context.axes("self");
  const Axes to = target_axes(context, sizes, 0);
  equate(context, from, "self", 0, to, 0);
  context.set_result(to);
}

void flatten(RuleContext& context) {
  const Axes from = context.axes("self");
  const auto first = context.normalize(context.integer("start_dim", 0), from.size());
  const auto last = context.normalize(context.integer("end_dim", -1), from.size());
  Axes result(from.begin(), from.begin() + first);
  result.push_back(
      Axis::of_product(Axes(from.begin() + first, from.empty() ? from.end() : from.begin() + last + 1)));
  if (!from.empty()) result.insert(result.end(), from.begin() + last + 1, from.end());
  for (int64_t d = 0; d < static_cast<int64_t>(from.size()); ++d)
    context.carry("self", d, d < first ? d : d <= last ? first : d - (last - first));
  context.set_result(result);
}

void unflatten(RuleContext& context) {
  const Axes from = context.axes("self");
  const auto axis = context.normalize(context.integer("dim"), from.size());
  const Axes to = target_axes(context, "sizes", static_cast<size_t>(axis));
  const auto grown = static_cast<int64_t>(to.size()) - 1;
  for (int64_t d = 0; d < static_cast<int64_t>(from.size()); ++d)
    if (d != axis) context.carry("self", d, d < axis ? d : d + grown);
  equate(context, {from[axis]}, "self", static_cast<size_t>(axis), to, static_cast<size_t>(axis));
  Axes result(from.begin(), from.begin() + axis);
  result.insert(result.end(), to.begin(), to.end());
  result.insert(result.end(), from.begin() + axis + 1, from.end());
  context.set_result(result);
}

}  // namespace

void add_reshape(RuleTable& table) {
  table.add({"aten::view", "aten::_unsafe_view"},
            "the product of the sizes equals the product of self's axes, factor by factor",
            [](RuleContext& context) { reshape(context, "size"); });
  table.add({"aten::reshape"}, "the product of the shape equals the product of self's axes, factor by factor",
            [](RuleContext& context) { reshape(context, "shape"); });
  table.add({"aten::flatten"}, "the axes start_dim…end_dim become their product", flatten);
  table.add({"aten::unflatten"}, "axis dim becomes the factors that the sizes name", unflatten);
}

}  // namespace inn::rules
