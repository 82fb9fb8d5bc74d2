// Sums, means and extrema over axes.

#include <ATen/ATen.h>

#include <algorithm>

#include "../rules.h"

namespace inn::onnx {
namespace {

Rule reduction(const std::string& op) {
  return [op](Emitter& e, const CallView& call) -> std::vector<Name> {
    const Name x = cast(e, call.tensor("self"), call.type("self"), call.result().dtype);
    const auto axes = call.has("dim") ? call.axes("dim", "self") : std::vector<int64_t>{};
    const int64_t keep = call.has("keepdim") && call.flag("keepdim");
    return {e.add(op, {x, axes.empty() ? Name() : e.integers(axes)}, {{"keepdims", keep}})};
  };
}

Rule extremum_of(const std::string& reduce, const std::string& place) {
  return [=](Emitter& e, const CallView& call) -> std::vector<Name> {
    const int64_t axis = call.axis("dim", "self"), keep = call.flag("keepdim");
    const Name x = call.tensor("self");
    return {e.add(reduce, {x, e.integers({axis})}, {{"keepdims", keep}}),
            e.add(place, {x}, {{"axis", axis}, {"keepdims", keep}})};
  };
}

Rule place_of(const std::string& op) {
  return [op](Emitter& e, const CallView& call) -> std::vector<Name> {
    if (!call.has("dim")) call.refuse("a place among all numbers");
    return {e.add(op, {call.tensor("self")},
                  {{"axis", call.axis("dim", "self")}, {"keepdims", int64_t{call.flag("keepdim")}}})};
  };
}

/// How many numbers fall into each of equal bins; those outside in none, the upper end into the last.
std::vector<Name> histogram(Emitter& e, const CallView& call) {
  const int64_t bins = call.integer("bins");
  const double low = call.number("min"), high = call.number("max");
  if (low >= high) call.refuse("bounds that the data decides");
  const auto type = call.type("self");
  const auto number = [&](double value) { return e.scalar(value, type); };
  const Name x = e.add("Reshape", {call.tensor("self"), e.integers({1, -1})});
  const Name place =
      e.add("Min", {e.add("Floor", {e.add("Mul", {e.add("Sub", {x, number(low)}),
                                                  number(static_cast<double>(bins) / (high - low))})}),
                    number(static_cast<double>(bins - 1))});
  const Name inside =
      e.add("And", {e.add("GreaterOrEqual", {x, number(low)}), e.add("LessOrEqual", {x, number(high)})});
  const Name bin = e.constant(at::arange(bins, at::TensorOptions(type)).unsqueeze(1));
  const Name counted = cast(e, e.add("And", {e.add("Equal", {place, bin}), inside}), at::kBool, type);
  return {e.add("ReduceSum", {counted, e.integers({1})}, {{"keepdims", int64_t{0}}})};
}

/// Of deviations from the mean: biased (correction 0) or divided by n − 1.
std::vector<Name> variance(Emitter& e, const CallView& call) {
  const auto& value = call.value("self");
  const auto axes = call.axes("dim", "self");
  int64_t count = 1;
  const bool is_dynamic =
      std::any_of(axes.begin(), axes.end(), [&](int64_t axis) { return call.is_dynamic(axis, "self"); });
  for (const auto axis : axes) count *= value.sizes.at(static_cast<size_t>(axis));
  const double correction = call.has("unbiased")     ? call.flag("unbiased")
                            : call.has("correction") ? call.number("correction")
                                                     : 1;
  if (correction != 0 && is_dynamic) call.refuse("an unbiased variance over a dynamic size");
  const Name x = call.tensor("self"), over = e.integers(axes);
  const Name deviation = e.add("Sub", {x, e.add("ReduceMean", {x, over})});
  const int64_t keep = call.flag("keepdim");
  Name result = e.add("ReduceMean", {e.add("Mul", {deviation, deviation}), over}, {{"keepdims", keep}});
  if (correction != 0)
    result =
        e.add("Mul", {result, e.scalar(static_cast<double>(count) / (static_cast<double>(count) - correction),
                                       call.result().dtype)});
  return {result};
}

std::vector<Name> product_over(Emitter& e, const CallView& call) {
  const Name x = cast(e, call.tensor("self"), call.type("self"), call.result().dtype);
  return {e.add("ReduceProd", {x, e.integers({call.axis("dim", "self")})},
                {{"keepdims", int64_t{call.flag("keepdim")}}})};
}

/// Of the first or the second power.
std::vector<Name> norm(Emitter& e, const CallView& call) {
  const auto axes = call.axes("dim", "self");
  const std::string power = call.has("ord") ? "ord" : "p";
  const double order = call.has(power) ? call.number(power) : 2;
  if (order != 1 && order != 2) call.refuse("its order");
  const Name x = cast(e, call.tensor("self"), call.type("self"), call.result().dtype);
  return {e.add(order == 1 ? "ReduceL1" : "ReduceL2", {x, axes.empty() ? Name() : e.integers(axes)},
                {{"keepdims", int64_t{call.flag("keepdim")}}})};
}

std::vector<Name> running_sum(Emitter& e, const CallView& call) {
  const Name x = cast(e, call.tensor("self"), call.type("self"), call.result().dtype);
  return {e.add("CumSum", {x, e.scalar(call.axis("dim", "self"), at::kLong)})};
}

}  // namespace

void add_reductions(Rules& rules) {
  rules["aten::histc"] = histogram;
  rules["aten::mean"] = reduction("ReduceMean");
  rules["aten::sum"] = reduction("ReduceSum");
  rules["aten::amax"] = reduction("ReduceMax");
  rules["aten::amin"] = reduction("ReduceMin");
  rules["aten::logsumexp"] = reduction("ReduceLogSumExp");
  rules["aten::prod.dim_int"] = product_over;
  rules["aten::norm.ScalarOpt_dim"] = rules["aten::linalg_vector_norm"] = norm;
  rules["aten::cumsum"] = running_sum;
  rules["aten::max.dim"] = extremum_of("ReduceMax", "ArgMax");
  rules["aten::min.dim"] = extremum_of("ReduceMin", "ArgMin");
  rules["aten::argmax"] = place_of("ArgMax");
  rules["aten::argmin"] = place_of("ArgMin");
  rules["aten::var.correction"] = rules["aten::var.dim"] = variance;
}

}  // namespace inn::onnx
