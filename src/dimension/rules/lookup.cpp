// Operators that index by position.

#include <ATen/ATen.h>

#include <algorithm>

#include "rules/rules.h"

namespace inn::rules {
namespace {

void embed(RuleContext& context) {
  const TensorAxes weight = context.axes("weight");
  TensorAxes result = context.axes("indices");
  context.pin(weight.at(0), context.site() + " selects along it by position");
  result.push_back(weight.at(1));
  context.set_result(result);
  context.propagate_scale("weight", 1, static_cast<int64_t>(result.size()) - 1);
}

/// Rows of a table, summed bag by bag. The other results are bookkeeping.
void embed_bags(RuleContext& context) {
  const TensorAxes weight = context.axes("weight");
  context.pin(weight.at(0), context.site() + " selects along it by position");
  for (size_t r = 0; r < context.result_count(); ++r) {
    TensorAxes result;
    for (const auto size : context.result_sizes(r)) result.push_back(context.positions(size));
    if (r == 0) result.back() = weight.at(1);
    context.set_result(result, r);
  }
}

/// The axes of self in the result of an advanced index, and their origins.
struct Indexed {
  TensorAxes axes;
  std::vector<int64_t> from;  // by axis of the result: the axis of self, or -1
};

/// Pins the axes that are indexed. The indices' own axes, broadcast, replace the first indexed axis, or come
/// first if a slice separates two indexed axes.
Indexed index_axes(RuleContext& context, const TensorAxes& self, const TensorAxes& own) {
  const auto kinds = context.optional_tensors("indices");
  std::vector<bool> indexed(self.size());
  int64_t first = -1, last = -1;
  for (size_t d = 0; d < kinds.size(); ++d) {
    if (!kinds[d]) continue;
    indexed[d] = true;
    context.pin(self[d], context.site() + " selects along it by position");
    if (first < 0) first = static_cast<int64_t>(d);
    last = static_cast<int64_t>(d);
  }
  bool adjacent = true;
  for (int64_t d = first; d >= 0 && d <= last; ++d) adjacent = adjacent && indexed[d];
  Indexed result;
  const auto put_own = [&] {
    result.axes.insert(result.axes.end(), own.begin(), own.end());
    result.from.insert(result.from.end(), own.size(), -1);
  };
  if (!adjacent) put_own();
  for (size_t d = 0; d < self.size(); ++d) {
    if (adjacent && static_cast<int64_t>(d) == first) put_own();
    if (indexed[d]) continue;
    result.axes.push_back(self[d]);
    result.from.push_back(static_cast<int64_t>(d));
  }
  return result;
}

/// The axes that tensors have in common under broadcasting.
TensorAxes common_axes(RuleContext& context, const std::vector<TensorAxes>& tensors) {
  size_t rank = 0;
  for (const auto& axes : tensors) rank = std::max(rank, axes.size());
  TensorAxes common(rank, AxisStructure::of_constant(1));
  for (const auto& axes : tensors)
    for (size_t d = 0; d < axes.size(); ++d) {
      AxisStructure& place = common[rank - axes.size() + d];
      if (axes[d].size == place.size && !axes[d].is_constant() && !place.is_constant())
        context.unify(place, axes[d]);
      stretch(context, axes[d], place.size);
      stretch(context, place, axes[d].size);
      if (axes[d].size > place.size || place.is_constant())
        place = axes[d].size >= place.size ? axes[d] : place;
    }
  return common;
}

bool has_mask(const RuleContext& context) {
  for (const auto& dtype : context.list_dtypes("indices"))
    if (dtype == at::kBool || dtype == at::kByte) return true;
  return false;
}

/// The start of a constant index list of consecutive ascending positions; nothing for any other index.
std::optional<int64_t> first_of_neighbours(const at::Tensor& places, int64_t size) {
  if (!places.defined() || places.dim() != 1 || places.numel() == 0) return std::nullopt;
  const at::Tensor numbers = places.to(at::kLong).remainder(size).contiguous();  // -1 is the last position
  const auto* number = numbers.const_data_ptr<int64_t>();
  for (int64_t k = 1; k < numbers.numel(); ++k)
    if (number[k] != number[0] + k) return std::nullopt;
  return number[0];
}

/// Treats a constant index list along one axis as a slice, if it is one; returns false otherwise.
bool take_neighbours(RuleContext& context, const at::Tensor& places, int64_t along) {
  const TensorAxes self = context.axes("self");
  const auto start = first_of_neighbours(places, self.at(along).size);
  const auto parts = start ? cut_out(context, self[along], *start, places.numel()) : std::nullopt;
  if (!parts) return false;
  TensorAxes result = self;
  result[along] = parts->part;
  context.replace_by_slice(RuleContext::Slice::copy, along, parts->before, parts->part);
  context.set_result(result);
  context.propagate_scale_part("self", along, *start, places.numel(), RuleContext::Along::kept);
  return true;
}

/// The same for the only index of a list.
bool take_neighbours_of_list(RuleContext& context) {
  const auto kinds = context.optional_tensors("indices");
  const auto only = std::find(kinds.begin(), kinds.end(), true);
  if (std::count(kinds.begin(), kinds.end(), true) != 1) return false;
  const auto along = only - kinds.begin();
  return take_neighbours(context, context.constant_tensor("indices", static_cast<size_t>(along)), along);
}

void index(RuleContext& context) {
  if (take_neighbours_of_list(context)) return;
  const TensorAxes self = context.axes("self");
  if (has_mask(context)) {
    for (const auto& axis : self) context.pin(axis, context.site() + " selects along it by a boolean mask");
    TensorAxes result;
    for (const auto size : context.result_sizes())
      result.push_back(context.positions(std::max<int64_t>(0, size)));
    return context.set_result(result);
  }
  const auto result = index_axes(context, self, common_axes(context, context.list_axes("indices")));
  context.set_result(result.axes);
  for (size_t d = 0; d < result.from.size(); ++d)
    if (result.from[d] >= 0) context.propagate_scale("self", result.from[d], static_cast<int64_t>(d));
}

void index_put(RuleContext& context) {
  const TensorAxes self = context.axes("self"), values = context.axes("values");
  context.set_result(self);
  if (has_mask(context)) {
    for (const auto& axis : self) context.pin(axis, context.site() + " writes along it by a boolean mask");
    for (const auto& axis : values)
      context.pin(axis, context.site() + " writes it to the positions of a boolean mask");
    return;
  }
  const auto target = index_axes(context, self, common_axes(context, context.list_axes("indices")));
  for (size_t d = 0; d < values.size(); ++d) {
    const AxisStructure& axis = target.axes.at(target.axes.size() - values.size() + d);
    if (values[d].size == axis.size && !values[d].is_constant()) context.unify(values[d], axis);
  }
}

/// Positions of one axis by a vector of indices.
void index_along(RuleContext& context) {
  const TensorAxes self = context.axes("self"), chosen = context.axes("index");
  const auto along = context.normalize(context.integer("dim"), self.size());
  if (!self.empty() && take_neighbours(context, context.constant_tensor("index"), along)) return;
  context.pin(self[along], context.site() + " selects along it by position");
  TensorAxes result = self;
  result[along] = chosen.empty() ? AxisStructure::of_constant(1) : chosen[0];
  context.set_result(result);
  for (int64_t d = 0; d < static_cast<int64_t>(self.size()); ++d) context.propagate_scale("self", d, d);
}

/// Selects positions of one axis separately for each position of the others: index has the rank of self.
void gather(RuleContext& context) {
  const TensorAxes self = context.axes("self");
  const auto name = context.has("index") ? "index" : "indices";
  TensorAxes chosen = context.axes(name);
  const bool flat = !context.has("dim");
  const auto along = flat ? -1 : context.normalize(context.integer("dim"), self.size());
  for (int64_t d = 0; d < static_cast<int64_t>(self.size()); ++d) {
    if (d == along || flat || self[d].size != context.result_sizes().at(d)) {
      context.pin(self[d], context.site() + " selects along it by position");
    } else if (chosen.at(d).size == self[d].size && !chosen[d].is_constant()) {
      context.unify(self[d], chosen[d]);
    } else if (chosen[d].is_constant()) {
      chosen[d] = self[d];
    }
  }
  context.set_result(chosen);
}

/// Writes values to positions of one axis: the result has the axes of self.
void scatter(RuleContext& context) {
  const TensorAxes self = context.axes("self"), chosen = context.axes("index");
  const auto along = context.normalize(context.integer("dim"), self.size());
  for (int64_t d = 0; d < static_cast<int64_t>(self.size()); ++d) {
    const bool aligned = d != along && chosen.size() == self.size() && chosen[d].size == self[d].size;
    if (aligned && !chosen[d].is_constant()) context.unify(self[d], chosen[d]);
    if (!aligned) context.pin(self[d], context.site() + " writes along it by position");
  }
  for (const auto* source : {"src", "source"}) {
    if (!context.is_tensor(source)) continue;
    const TensorAxes values = context.axes(source);
    for (size_t d = 0; d < values.size() && values.size() == chosen.size(); ++d)
      if (values[d].size == chosen[d].size && !values[d].is_constant()) context.unify(values[d], chosen[d]);
    if (values.size() != chosen.size())
      for (const auto& axis : values) context.pin(axis, context.site() + " writes it by position");
  }
  context.set_result(self);
}

/// Writes to positions of one axis by a vector of indices; the values have the other axes of self.
void write_along(RuleContext& context) {
  const TensorAxes self = context.axes("self");
  const auto along = context.normalize(context.integer("dim"), self.size());
  context.pin(self[along], context.site() + " writes along it by position");
  if (context.is_tensor("source")) {
    const TensorAxes source = context.axes("source");
    for (size_t d = 0; d < source.size() && source.size() == self.size(); ++d)
      if (static_cast<int64_t>(d) != along) context.unify(self[d], source[d]);
  }
  context.set_result(self);
}

void one_hot(RuleContext& context) {
  TensorAxes result = context.axes("self");
  result.push_back(context.positions(context.result_sizes().back()));
  context.set_result(result);
}

}  // namespace

void add_lookup(RuleTable& table) {
  table.add({"aten::embedding"},
            "result […, e] of weight [vocabulary, e] and indices […]; the vocabulary is positional", embed);
  table.add({"aten::embedding_bag"},
            "result [bags, e] of weight [vocabulary, e]; the vocabulary is positional", embed_bags);
  table.add({"aten::embedding_renorm_"}, "result = self", same_axes);
  table.add({"aten::index"},
            "indexed axes are positional and replaced by those of the indices; a constant list of "
            "consecutive indices is a slice; the others are unchanged",
            index);
  table.add({"aten::index_put", "aten::_index_put_impl_"},
            "result = self; indexed axes are positional, the values have the others", index_put);
  table.add({"aten::index_select"},
            "axis dim is positional and replaced by that of the index; a constant list of consecutive "
            "indices is a slice",
            index_along);
  table.add({"aten::gather", "aten::take_along_dim"},
            "result = index; axis dim of self is positional, the others equal those of the index", gather);
  table.add({"aten::scatter", "aten::scatter_add", "aten::scatter_reduce"},
            "result = self; axis dim is positional, the others equal those of the index", scatter);
  table.add({"aten::index_add", "aten::index_copy", "aten::index_fill"},
            "result = self; axis dim is positional, the source has the others", write_along);
  table.add({"aten::one_hot"}, "result […, classes] of self […]; the classes are positional", one_hot);
}

}  // namespace inn::rules
