// Operators that move axes: permutations, axes of size 1, expansion.

#include <algorithm>

#include "rules/rules.h"

namespace inn::rules {
namespace {

/// Result axis d is axis order[d] of self; -1 is a new axis of size 1.
void arrange(RuleContext& context, const std::vector<int64_t>& order) {
  const TensorAxes from = context.axes("self");
  TensorAxes result;
  for (size_t d = 0; d < order.size(); ++d) {
    result.push_back(order[d] < 0 ? AxisStructure::of_constant(1) : from.at(order[d]));
    if (order[d] >= 0) context.propagate_scale("self", order[d], static_cast<int64_t>(d));
  }
  context.set_result(result);
}

std::vector<int64_t> identity_order(size_t rank) {
  std::vector<int64_t> order(rank);
  for (size_t d = 0; d < rank; ++d) order[d] = static_cast<int64_t>(d);
  return order;
}

void permute(RuleContext& context) {
  const size_t rank = context.axes("self").size();
  std::vector<int64_t> order;
  for (const auto axis : context.integers("dims")) order.push_back(context.normalize(axis, rank));
  arrange(context, order);
}

void swap_axes(RuleContext& context, const std::string& first, const std::string& second) {
  const size_t rank = context.axes("self").size();
  auto order = identity_order(rank);
  if (rank > 0)
    std::swap(order[context.normalize(context.integer(first), rank)],
              order[context.normalize(context.integer(second), rank)]);
  arrange(context, order);
}

void reverse(RuleContext& context) {
  auto order = identity_order(context.axes("self").size());
  std::reverse(order.begin(), order.end());
  arrange(context, order);
}

void move(RuleContext& context) {
  const size_t rank = context.axes("self").size();
  const auto source = context.integers("source"), destination = context.integers("destination");
  std::vector<int64_t> order(rank, -1), rest;
  std::vector<bool> moved(rank);
  for (size_t k = 0; k < source.size(); ++k) {
    const auto from = context.normalize(source[k], rank);
    order[context.normalize(destination.at(k), rank)] = from;
    moved[from] = true;
  }
  for (size_t d = 0; d < rank; ++d)
    if (!moved[d]) rest.push_back(static_cast<int64_t>(d));
  auto next = rest.begin();
  for (auto& axis : order)
    if (axis < 0) axis = *next++;
  arrange(context, order);
}

void swap_last(RuleContext& context) {
  auto order = identity_order(context.axes("self").size());
  std::swap(order[order.size() - 2], order[order.size() - 1]);
  arrange(context, order);
}

void squeeze(RuleContext& context) {
  const TensorAxes from = context.axes("self");
  std::vector<int64_t> chosen;
  if (context.call().overload.empty() || context.call().overload == "default") {
    chosen = identity_order(from.size());
  } else {
    for (const auto axis : context.integers("dim")) chosen.push_back(context.normalize(axis, from.size()));
  }
  std::vector<int64_t> order;
  for (const auto axis : identity_order(from.size())) {
    const bool dropped =
        from[axis].size == 1 && std::find(chosen.begin(), chosen.end(), axis) != chosen.end();
    if (dropped) context.pin(from[axis], context.site() + " removes it because its size is 1");
    if (!dropped) order.push_back(axis);
  }
  arrange(context, order);
}

void unsqueeze(RuleContext& context) {
  auto order = identity_order(context.axes("self").size());
  order.insert(order.begin() + context.normalize(context.integer("dim"), order.size() + 1), -1);
  arrange(context, order);
}

void expand(RuleContext& context) {
  const TensorAxes from = context.axes("self");
  const size_t rank = context.result_sizes().size();
  const auto burned = context.integers("size");
  TensorAxes result;
  for (size_t d = 0; d < rank; ++d) {
    const int64_t size = context.result_sizes()[d];
    const bool is_new = d + from.size() < rank;
    const AxisStructure own = is_new ? AxisStructure::of_constant(1) : from[d + from.size() - rank];
    if (!is_new && burned.at(d) == -1 && own.size == size) {
      result.push_back(own);  // -1 keeps; so does a size that the network computes, which is its own
    } else {
      result.push_back(context.size_argument("size", size, d));
      if (!own.is_constant() && own.size == size) context.unify(result.back(), own);
      stretch(context, own, size);
    }
    if (!is_new)
      context.propagate_scale("self", static_cast<int64_t>(d + from.size() - rank), static_cast<int64_t>(d));
  }
  context.set_result(result);
}

void expand_as(RuleContext& context) {
  const TensorAxes from = context.axes("self"), other = context.axes("other");
  for (size_t d = 0; d < from.size(); ++d) {
    const AxisStructure& target = other.at(d + other.size() - from.size());
    if (from[d].size == target.size && !from[d].is_constant()) context.unify(from[d], target);
    stretch(context, from[d], target.size);
    context.propagate_scale("self", static_cast<int64_t>(d),
                            static_cast<int64_t>(d + other.size() - from.size()));
  }
  context.set_result(other);
}

}  // namespace

void add_movement(RuleTable& table) {
  table.add({"aten::permute"}, "result axis d is axis dims[d] of self", permute);
  table.add({"aten::transpose"}, "axes dim0 and dim1 are swapped",
            [](RuleContext& context) { swap_axes(context, "dim0", "dim1"); });
  table.add({"aten::movedim", "aten::moveaxis"},
            "axes source are moved to destination, the others keep their order", move);
  table.add({"aten::mT", "aten::adjoint", "aten::mH"}, "the last two axes are swapped", swap_last);
  table.add({"aten::swapdims"}, "axes dim0 and dim1 are swapped",
            [](RuleContext& context) { swap_axes(context, "dim0", "dim1"); });
  table.add({"aten::swapaxes"}, "axes axis0 and axis1 are swapped",
            [](RuleContext& context) { swap_axes(context, "axis0", "axis1"); });
  table.add({"aten::t", "aten::numpy_T"}, "the axes in reverse order", reverse);
  table.add({"aten::squeeze"}, "self without axes of size 1", squeeze);
  table.add({"aten::unsqueeze"}, "self with a new axis of size 1 at dim", unsqueeze);
  table.add({"aten::expand"}, "self with axes of size 1 broadcast to the sizes", expand);
  table.add({"aten::expand_as"}, "self with axes of size 1 broadcast to those of other", expand_as);
}

}  // namespace inn::rules
