// Reductions over axes.

#include "operators.h"

namespace inn::onnx::reading {
namespace {

using Reduce = at::Tensor (*)(const at::Tensor&, at::IntArrayRef, bool);

Operator reduction(Reduce compute) {
  return [compute](NodeView& node) -> Tensors {
    node.ignore({"keepdims", "noop_with_empty_axes"});
    const auto x = node.tensor(0);
    auto axes = axes_of(node, 1);
    if (axes.empty()) {
      if (node.attribute("noop_with_empty_axes", 0) != 0) return {x};
      for (int64_t axis = 0; axis < x.dim(); ++axis) axes.push_back(axis);
    }
    for (auto& axis : axes) axis = axis_of(node, axis, x.dim());
    return {compute(x, axes, node.attribute("keepdims", 1) != 0)};
  };
}

at::Tensor product(const at::Tensor& x, at::IntArrayRef axes, bool keeps) {
  std::vector<int64_t> last_first(axes.begin(), axes.end());
  std::sort(last_first.rbegin(), last_first.rend());
  at::Tensor result = x;
  for (const auto axis : last_first) result = at::prod(result, axis, keeps);
  return result;
}

Operator argument(at::Tensor (*compute)(const at::Tensor&, int64_t, bool)) {
  return [compute](NodeView& node) -> Tensors {
    node.require_that(node.attribute("select_last_index", 0) == 0, "'select_last_index' is not supported");
    const auto x = node.tensor(0);
    return {
        compute(x, axis_of(node, node.attribute("axis", 0), x.dim()), node.attribute("keepdims", 1) != 0)};
  };
}

}  // namespace

void add_reductions(Operators& operators) {
  operators["ReduceMean"] = reduction(
      [](const at::Tensor& x, at::IntArrayRef axes, bool keeps) { return at::mean(x, axes, keeps); });
  operators["ReduceSum"] = reduction([](const at::Tensor& x, at::IntArrayRef axes, bool keeps) {
    return at::sum(x, axes, keeps, x.scalar_type());
  });
  operators["ReduceMax"] = reduction(
      [](const at::Tensor& x, at::IntArrayRef axes, bool keeps) { return at::amax(x, axes, keeps); });
  operators["ReduceMin"] = reduction(
      [](const at::Tensor& x, at::IntArrayRef axes, bool keeps) { return at::amin(x, axes, keeps); });
  operators["ReduceProd"] = reduction(product);
  operators["ReduceL1"] = reduction(
      [](const at::Tensor& x, at::IntArrayRef axes, bool keeps) { return at::sum(at::abs(x), axes, keeps); });
  operators["ReduceL2"] = reduction([](const at::Tensor& x, at::IntArrayRef axes, bool keeps) {
    return at::sqrt(at::sum(at::mul(x, x), axes, keeps));
  });
  operators["ReduceSumSquare"] = reduction([](const at::Tensor& x, at::IntArrayRef axes, bool keeps) {
    return at::sum(at::mul(x, x), axes, keeps);
  });
  operators["ReduceLogSum"] = reduction(
      [](const at::Tensor& x, at::IntArrayRef axes, bool keeps) { return at::log(at::sum(x, axes, keeps)); });
  operators["ReduceLogSumExp"] = reduction(
      [](const at::Tensor& x, at::IntArrayRef axes, bool keeps) { return at::logsumexp(x, axes, keeps); });
  operators["ArgMax"] =
      argument([](const at::Tensor& x, int64_t axis, bool keeps) { return at::argmax(x, axis, keeps); });
  operators["ArgMin"] =
      argument([](const at::Tensor& x, int64_t axis, bool keeps) { return at::argmin(x, axis, keeps); });
  operators["CumSum"] = [](NodeView& node) -> Tensors {
    const auto x = node.tensor(0);
    const auto axis = axis_of(node, node.integer(1), x.dim());
    const bool is_reversed = node.attribute("reverse", 0) != 0;
    const auto given = is_reversed ? at::flip(x, {axis}) : x;
    auto sums = at::cumsum(given, axis, x.scalar_type());
    if (node.attribute("exclusive", 0) != 0) sums = at::sub(sums, given);
    return {is_reversed ? at::flip(sums, {axis}) : sums};
  };
  operators["TopK"] = [](NodeView& node) -> Tensors {
    const auto x = node.tensor(0);
    const auto axis = axis_of(node, node.attribute("axis", -1), x.dim());
    const auto [values, indices] = at::topk(x, node.integer(1), axis, node.attribute("largest", 1) != 0,
                                            node.attribute("sorted", 1) != 0);
    return {values, indices};
  };
}

}  // namespace inn::onnx::reading
