// Operators that keep the elements and their order and change the sizes: two lists of sizes have equal
// products.

#include "rules/rules.h"

namespace inn::rules {
namespace {

/// One axis of the result: known, or a constant size in the call (or computed, or -1: inferred).
struct Target {
  int64_t size;
  std::optional<AxisStructure> known = std::nullopt;
  std::string argument = {};  // of a burned size: where it stands
  size_t element = 0;
};

std::vector<Target> burned_sizes(RuleContext& context, const std::string& argument, size_t first) {
  std::vector<Target> targets;
  for (size_t k = 0; k < context.list_size(argument); ++k)
    targets.push_back({context.result_sizes().at(first + k), std::nullopt, argument, k});
  return targets;
}

std::vector<int64_t> sizes_of(const TensorAxes& axes) {
  std::vector<int64_t> sizes;
  for (const auto& axis : axes) sizes.push_back(axis.size);
  return sizes;
}

/// The number of variables of size 1 in the axes: batches of one, single channels.
int64_t variables_of_one(const TensorAxes& axes) {
  int64_t count = 0;
  for (const auto& axis : axes)
    axis.for_each_variable([&](const AxisStructure& leaf) { count += leaf.size == 1; });
  return count;
}

/// Equates axes with those of the reshaped tensor, and returns the latter.
///
/// Piece by piece: a piece is the shortest run of axes on either side with as many elements. Axes of size 1
/// belong to the piece before them: all of `from`, and as many targets as its variables of size 1 may stand
/// for. Any other burned 1 is the number 1.
TensorAxes equate(RuleContext& context, const TensorAxes& from, size_t first_from,
                  const std::vector<Target>& targets, size_t first_to) {
  TensorAxes to;
  const auto make = [&](const Target& target, bool ones_vary) {
    if (target.known) return *target.known;
    if (target.size == 1 && !ones_vary) return AxisStructure::of_constant(1);
    return context.size_argument(target.argument, target.size, target.element);
  };
  size_t i = 0, j = 0;
  while (i < from.size() || j < targets.size()) {
    const size_t begin_i = i, begin_j = j;
    int64_t size_i = i < from.size() ? from[i++].size : 1;
    int64_t size_j = j < targets.size() ? targets[j++].size : 1;
    while (size_i != size_j) {
      if (size_i < size_j ? i == from.size() : j == targets.size()) break;  // the sizes do not fit: no piece
      if (size_i < size_j)
        size_i *= from[i++].size;
      else
        size_j *= targets[j++].size;
    }
    while (i < from.size() && from[i].size == 1) ++i;
    const TensorAxes piece_from(from.begin() + static_cast<int64_t>(begin_i),
                                from.begin() + static_cast<int64_t>(i));
    int64_t free_ones = variables_of_one(piece_from);
    const bool ones_vary = free_ones > 0;
    for (size_t b = begin_j; b < j; ++b) free_ones -= targets[b].size == 1;
    for (; j < targets.size() && targets[j].size == 1 && (free_ones > 0 || i == from.size()); ++j)
      --free_ones;
    for (size_t b = begin_j; b < j; ++b) to.push_back(make(targets[b], ones_vary));
    const TensorAxes piece_to(to.begin() + static_cast<int64_t>(begin_j), to.end());
    context.unify(AxisStructure::of_product(piece_from), AxisStructure::of_product(piece_to));
    context.propagate_scale_reshaped("self", static_cast<int64_t>(first_from + begin_i), sizes_of(piece_from),
                                     static_cast<int64_t>(first_to + begin_j), sizes_of(piece_to));
  }
  return to;
}

void reshape(RuleContext& context, const std::string& sizes) {
  context.set_result(equate(context, context.axes("self"), 0, burned_sizes(context, sizes, 0), 0));
}

void reshape_like(RuleContext& context) {
  std::vector<Target> targets;
  for (const auto& axis : context.axes("other")) targets.push_back({axis.size, axis});
  context.set_result(equate(context, context.axes("self"), 0, targets, 0));
}

void flatten(RuleContext& context) {
  const TensorAxes from = context.axes("self");
  const auto first = context.normalize(context.integer("start_dim", 0), from.size());
  const auto last = context.normalize(context.integer("end_dim", -1), from.size());
  TensorAxes result(from.begin(), from.begin() + first);
  result.push_back(AxisStructure::of_product(
      TensorAxes(from.begin() + first, from.empty() ? from.end() : from.begin() + last + 1)));
  if (!from.empty()) result.insert(result.end(), from.begin() + last + 1, from.end());
  context.set_result(result);
  for (int64_t d = 0; d < static_cast<int64_t>(from.size()); ++d)
    if (d < first || d > last) context.propagate_scale("self", d, d < first ? d : d - (last - first));
  if (from.empty()) return;
  const TensorAxes merged(from.begin() + first, from.begin() + last + 1);
  context.propagate_scale_reshaped("self", first, sizes_of(merged), first, {result[first].size});
}

void unflatten(RuleContext& context) {
  const TensorAxes from = context.axes("self");
  const auto axis = context.normalize(context.integer("dim"), from.size());
  const auto first = static_cast<size_t>(axis);
  const TensorAxes to = equate(context, {from[axis]}, first, burned_sizes(context, "sizes", first), first);
  const auto grown = static_cast<int64_t>(to.size()) - 1;
  for (int64_t d = 0; d < static_cast<int64_t>(from.size()); ++d)
    if (d != axis) context.propagate_scale("self", d, d < axis ? d : d + grown);
  TensorAxes result(from.begin(), from.begin() + axis);
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
  table.add({"aten::view_as", "aten::reshape_as"},
            "the product of other's axes equals the product of self's, factor by factor", reshape_like);
  table.add({"aten::ravel"}, "all axes are replaced by their product", flatten);
  table.add({"aten::flatten"}, "the axes start_dim…end_dim are replaced by their product", flatten);
  table.add({"aten::unflatten"}, "axis dim is factored into the given sizes", unflatten);
}

}  // namespace inn::rules
