// Parts of tensors chosen by position.

#include "operators.h"

namespace inn::onnx::reading {
namespace {

/// Indices that count from the end as ones from the beginning, where they are known.
at::Tensor indices_of(NodeView& node, size_t input, int64_t size) {
  const auto* known = node.constant(input);
  if (known == nullptr) return node.tensor(input).to(at::kLong);
  return node.derived(input, fmt::format(".of_{}", size), [&](const at::Tensor& given) {
    const auto indices = given.to(at::kLong);
    return at::where(indices.lt(0), indices + size, indices);
  });
}

/// The first of indices that count up one by one, if they do.
std::optional<int64_t> first_of_run(NodeView& node, const at::Tensor& indices) {
  if (indices.numel() == 0) return std::nullopt;
  const auto numbers = node.unrecorded([&] { return indices.to(at::kLong).flatten(); });
  const auto* begin = numbers.const_data_ptr<int64_t>();
  for (int64_t i = 1; i < numbers.numel(); ++i)
    if (begin[i] != begin[0] + i) return std::nullopt;
  return begin[0] < 0 ? std::nullopt : std::optional(begin[0]);
}

Tensors gather(NodeView& node) {
  const auto x = node.tensor(0);
  const auto axis = axis_of(node, node.attribute("axis", 0), x.dim());
  const auto* known = node.constant(1);
  if (known != nullptr && known->dim() == 0) return {at::select(x, axis, node.integer(1))};
  const auto size = x.size(axis);
  if (known != nullptr)
    if (const auto first = first_of_run(node, *known); first && *first + known->numel() <= size) {
      // Neighbours are a slice, which torch.export's strided views become too.
      const bool is_all = *first == 0 && known->numel() == size;
      const auto part = is_all ? x : at::slice(x, axis, *first, *first + known->numel());
      if (known->dim() == 1) return {part};
      auto sizes = x.sizes().vec();
      sizes.erase(sizes.begin() + axis);
      sizes.insert(sizes.begin() + axis, known->sizes().begin(), known->sizes().end());
      return {at::reshape(part, sizes)};
    }
  const auto indices = indices_of(node, 1, size);
  if (indices.dim() == 1) return {at::index_select(x, axis, indices)};
  if (axis == 0 && x.dim() == 2 && node.constant(0) != nullptr && x.is_floating_point())
    return {at::embedding(x, indices)};
  c10::List<std::optional<at::Tensor>> places;
  for (int64_t before = 0; before < axis; ++before) places.push_back(std::nullopt);
  places.push_back(indices);
  return {at::index(x, places)};
}

/// The last axis of the indices as one index an axis.
c10::List<std::optional<at::Tensor>> places_of(NodeView& node, const at::Tensor& x,
                                               const at::Tensor& indices) {
  node.require_that(indices.dim() >= 1 && indices.size(-1) <= x.dim(), "the indices do not fit the data");
  c10::List<std::optional<at::Tensor>> places;
  for (int64_t i = 0; i < indices.size(-1); ++i) places.push_back(at::select(indices, -1, i));
  return places;
}

/// The bounds of an axis that fit 64 bits and torch: what is beyond the ends is the end.
int64_t bound(int64_t value, int64_t size) {
  return std::clamp(value, -size - 1, std::numeric_limits<int64_t>::max());
}

Tensors slice(NodeView& node) {
  const auto x = node.tensor(0);
  const auto starts = node.integers(1), ends = node.integers(2);
  std::vector<int64_t> axes, steps(starts.size(), 1);
  for (size_t i = 0; i < starts.size(); ++i) axes.push_back(static_cast<int64_t>(i));
  if (node.has(3)) axes = node.integers(3);
  if (node.has(4)) steps = node.integers(4);
  node.require_that(
      ends.size() == starts.size() && axes.size() == starts.size() && steps.size() == starts.size(),
      "starts, ends, axes and steps are not of one length");
  at::Tensor result = x;
  for (size_t i = 0; i < starts.size(); ++i) {
    const auto axis = axis_of(node, axes[i], x.dim());
    const auto size = result.size(axis);
    node.require_that(steps[i] != 0, "a step of 0");
    if (steps[i] < 0) {
      // Backwards from start to after end: the same positions of the flipped axis, forwards.
      const auto from = std::clamp<int64_t>(starts[i] < 0 ? starts[i] + size : starts[i], -1, size - 1);
      const auto to = std::clamp<int64_t>(ends[i] < -size ? -1
                                          : ends[i] < 0   ? ends[i] + size
                                                          : ends[i],
                                          -1, size - 1);
      result = at::slice(at::flip(result, {axis}), axis, size - 1 - from, size - 1 - to,
                         -std::max(steps[i], -size - 1));
    } else if (bound(starts[i], size) != 0 || bound(ends[i], size) < size || steps[i] != 1) {
      result = at::slice(result, axis, bound(starts[i], size), bound(ends[i], size), steps[i]);
    }
  }
  return {result};
}

}  // namespace

void add_indexing(Operators& operators) {
  operators["Gather"] = gather;
  operators["GatherElements"] = [](NodeView& node) -> Tensors {
    const auto x = node.tensor(0);
    const auto axis = axis_of(node, node.attribute("axis", 0), x.dim());
    return {at::gather(x, axis, indices_of(node, 1, x.size(axis)))};
  };
  operators["GatherND"] = [](NodeView& node) -> Tensors {
    node.require_that(node.attribute("batch_dims", 0) == 0, "'batch_dims' is not supported");
    const auto x = node.tensor(0), indices = node.tensor(1);
    return {at::index(x, places_of(node, x, indices))};
  };
  operators["ScatterElements"] = [](NodeView& node) -> Tensors {
    node.require_that(node.text("reduction", "none") == "none", "a reduction is not supported");
    const auto x = node.tensor(0);
    const auto axis = axis_of(node, node.attribute("axis", 0), x.dim());
    return {at::scatter(x, axis, indices_of(node, 1, x.size(axis)), node.tensor(2))};
  };
  operators["ScatterND"] = [](NodeView& node) -> Tensors {
    node.require_that(node.text("reduction", "none") == "none", "a reduction is not supported");
    const auto x = node.tensor(0), indices = node.tensor(1);
    return {at::index_put(x, places_of(node, x, indices), node.tensor(2))};
  };
  operators["Slice"] = slice;
  operators["OneHot"] = [](NodeView& node) -> Tensors {
    const auto indices = node.tensor(0);
    const auto depth = node.integer(1);
    const auto axis = axis_of(node, node.attribute("axis", -1), indices.dim() + 1);
    std::vector<int64_t> sizes(static_cast<size_t>(indices.dim()) + 1, 1);
    sizes[static_cast<size_t>(axis)] = depth;
    const auto classes = at::reshape(at::arange(depth, indices.options()), sizes);
    const auto is_hot = at::eq(at::unsqueeze(indices, axis), classes);
    const auto values = node.tensor(2);
    return {at::where(is_hot, at::select(values, 0, 1), at::select(values, 0, 0))};
  };
}

}  // namespace inn::onnx::reading
