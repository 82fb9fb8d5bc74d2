// Parts chosen by tensors of indices, orders, triangles, samples of images.

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "../rules.h"

namespace inn::onnx {
namespace {

std::vector<Name> index_selected(Emitter& e, const CallView& call) {
  return {e.add("Gather", {call.tensor("self"), call.tensor("index")}, {{"axis", call.axis("dim", "self")}})};
}

std::vector<Name> gathered(Emitter& e, const CallView& call) {
  return {e.add("GatherElements", {call.tensor("self"), call.tensor("index")},
                {{"axis", call.axis("dim", "self")}})};
}

std::vector<Name> scattered(Emitter& e, const CallView& call) {
  return {e.add("ScatterElements", {call.tensor("self"), call.tensor("index"), call.tensor("src")},
                {{"axis", call.axis("dim", "self")}})};
}

/// The tensors among a call's indices, and the axes that they index.
struct Indices {
  std::vector<ValueId> tensors;
  std::vector<int64_t> axes;
  bool is_run() const { return axes.back() - axes.front() + 1 == static_cast<int64_t>(axes.size()); }
};

Indices indices_of(Emitter& e, const CallView& call) {
  Indices indices;
  int64_t axis = 0;
  for (const auto& item : call.list("indices")) {
    if (item.is_value()) {
      if (e.network().values[static_cast<size_t>(item.value())].dtype == at::kBool) call.refuse("a mask");
      indices.tensors.push_back(item.value());
      indices.axes.push_back(axis);
    }
    ++axis;
  }
  if (indices.tensors.empty()) call.refuse("no tensor of indices");
  return indices;
}

/// Tensors of indices of one shape as one tensor, whose last axis has an index for each.
Name joined_indices(Emitter& e, const CallView& call, const Indices& indices) {
  std::vector<int64_t> shape;
  for (const auto id : indices.tensors) {
    const auto& value = e.network().values[static_cast<size_t>(id)];
    for (size_t axis = 0; axis < value.sizes.size(); ++axis)
      if (is_dynamic(value, axis)) call.refuse("several tensors of indices, with dynamic sizes");
    shape = at::infer_size(shape, value.sizes);
  }
  std::vector<Name> parts;
  for (const auto id : indices.tensors) {
    const auto& value = e.network().values[static_cast<size_t>(id)];
    Name part = e.name_of(id);
    if (value.sizes != shape) part = e.add("Expand", {part, e.integers(shape)});
    parts.push_back(e.add("Unsqueeze", {part, e.integers({-1})}));
  }
  return parts.size() == 1 ? parts[0] : e.add("Concat", parts, {{"axis", int64_t{-1}}});
}

/// torch puts the axes of the indices where the first indexed axis was, if indexed axes are neighbours, else first.
std::vector<Name> indexed(Emitter& e, const CallView& call) {
  const auto indices = indices_of(e, call);
  const Name x = call.tensor("self");
  if (indices.tensors.size() == 1)
    return {e.add("Gather", {x, e.name_of(indices.tensors[0])}, {{"axis", indices.axes[0]}})};
  const Name places = joined_indices(e, call, indices);
  std::vector<int64_t> order = indices.axes;
  for (int64_t axis = 0; axis < call.rank("self"); ++axis)
    if (std::find(indices.axes.begin(), indices.axes.end(), axis) == indices.axes.end())
      order.push_back(axis);
  Name indexed_first = x;
  if (!std::is_sorted(order.begin(), order.end())) indexed_first = e.add("Transpose", {x}, {{"perm", order}});
  const Name result = e.add("GatherND", {indexed_first, places});
  const auto before = indices.is_run() ? indices.axes.front() : 0;
  if (before == 0) return {result};
  // [indices…, before…, after…] as [before…, indices…, after…].
  const auto rank = static_cast<int64_t>(call.result().sizes.size());
  const auto others = call.rank("self") - static_cast<int64_t>(indices.axes.size());
  const auto index_axes = rank - others;
  std::vector<int64_t> back;
  for (int64_t axis = 0; axis < before; ++axis) back.push_back(index_axes + axis);
  for (int64_t axis = 0; axis < index_axes; ++axis) back.push_back(axis);
  for (int64_t axis = index_axes + before; axis < rank; ++axis) back.push_back(axis);
  return {e.add("Transpose", {result}, {{"perm", back}})};
}

std::vector<Name> index_put(Emitter& e, const CallView& call) {
  if (call.flag("accumulate")) call.refuse("accumulation");
  const auto indices = indices_of(e, call);
  if (indices.axes.front() != 0 || !indices.is_run()) call.refuse("indices of other axes than the first");
  const Name places = joined_indices(e, call, indices);
  // The values of all places: their indices' sizes and those of the axes that are not indexed.
  std::vector<int64_t> shape;
  for (const auto id : indices.tensors)
    shape = at::infer_size(shape, e.network().values[static_cast<size_t>(id)].sizes);
  for (int64_t axis = static_cast<int64_t>(indices.axes.size()); axis < call.rank("self"); ++axis) {
    if (call.is_dynamic(axis, "self")) call.refuse("an axis of a dynamic size");
    shape.push_back(call.value("self").sizes[static_cast<size_t>(axis)]);
  }
  Name values = call.tensor("values");
  if (call.value("values").sizes != shape) values = e.add("Expand", {values, e.integers(shape)});
  return {e.add("ScatterND", {call.tensor("self"), places, values})};
}

std::vector<Name> top(Emitter& e, const CallView& call) {
  return e.add_several("TopK", {call.tensor("self"), e.integers({call.integer("k")})},
                       {{"axis", call.axis("dim", "self")},
                        {"largest", int64_t{call.flag("largest")}},
                        {"sorted", int64_t{call.flag("sorted")}}},
                       2);
}

/// All of them, by size.
std::vector<Name> sorted(Emitter& e, const CallView& call) {
  const int64_t axis = call.axis("dim", "self");
  return e.add_several(
      "TopK", {call.tensor("self"), e.size_of(call.tensor("self"), axis)},
      {{"axis", axis}, {"largest", int64_t{call.flag("descending")}}, {"sorted", int64_t{1}}}, 2);
}

std::vector<Name> flipped(Emitter& e, const CallView& call) {
  const auto axes = call.axes("dims", "self");
  const std::vector<int64_t> last(axes.size(), -1), end(axes.size(), std::numeric_limits<int64_t>::min());
  return {e.add(
      "Slice", {call.tensor("self"), e.integers(last), e.integers(end), e.integers(axes), e.integers(last)})};
}

Rule triangle(bool upper) {
  return [=](Emitter& e, const CallView& call) -> std::vector<Name> {
    return {e.add("Trilu", {call.tensor("self"), e.scalar(call.integer("diagonal"), at::kLong)},
                  {{"upper", int64_t{upper}}})};
  };
}

std::vector<Name> sampled(Emitter& e, const CallView& call) {
  const char* const modes[] = {"linear", "nearest", "cubic"};
  const char* const old_modes[] = {"bilinear", "nearest", "bicubic"};  // before opset 20
  const char* const paddings[] = {"zeros", "border", "reflection"};
  const auto mode = static_cast<size_t>(call.integer("interpolation_mode")),
             padding = static_cast<size_t>(call.integer("padding_mode"));
  if (mode > 2 || padding > 2) call.refuse("its mode");
  return {e.add("GridSample", {call.tensor("input"), call.tensor("grid")},
                {{"mode", std::string(e.opset() >= 20 ? modes[mode] : old_modes[mode])},
                 {"padding_mode", std::string(paddings[padding])},
                 {"align_corners", int64_t{call.flag("align_corners")}}})};
}

}  // namespace

void add_indexing(Rules& rules) {
  rules["aten::index.Tensor"] = indexed;
  rules["aten::index_select"] = index_selected;
  rules["aten::gather"] = gathered;
  rules["aten::scatter.src"] = scattered;
  rules["aten::index_put"] = index_put;
  rules["aten::topk"] = top;
  rules["aten::sort"] = sorted;
  rules["aten::flip"] = flipped;
  rules["aten::triu"] = triangle(true);
  rules["aten::tril"] = triangle(false);
  rules["aten::grid_sampler"] = sampled;
}

}  // namespace inn::onnx
