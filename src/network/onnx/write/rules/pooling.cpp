// Pooling.

#include <ATen/ATen.h>

#include <algorithm>

#include "../rules.h"

namespace inn::onnx {
namespace {

std::vector<Attribute> windows(const CallView& call) {
  const auto kernel = call.integers("kernel_size", static_cast<size_t>(call.rank("self") - 2));
  auto stride = call.has("stride") ? call.integers("stride", kernel.size()) : kernel;
  if (stride.empty()) stride = kernel;
  return {{"kernel_shape", kernel},
          {"strides", stride},
          {"pads", both_ends(call, kernel.size())},
          {"ceil_mode", int64_t{call.flag("ceil_mode")}}};
}

std::vector<Name> max_pool(Emitter& e, const CallView& call) {
  auto attributes = windows(call);
  const auto axes = static_cast<size_t>(call.rank("self") - 2);
  attributes.push_back({"dilations", call.integers("dilation", axes)});
  return {e.add("MaxPool", {call.tensor("self")}, std::move(attributes))};
}

std::vector<Name> average_pool(Emitter& e, const CallView& call) {
  auto attributes = windows(call);
  if (call.has("divisor_override")) call.refuse("its divisor");
  if (call.flag("ceil_mode"))
    call.refuse("windows that end outside");  // torch and ONNX count their places differently
  attributes.push_back({"count_include_pad", int64_t{call.flag("count_include_pad")}});
  return {e.add("AveragePool", {call.tensor("self")}, std::move(attributes))};
}

/// Row i averages the places from ⌊i·n/m⌋ to ⌈(i+1)·n/m⌉ of n, as torch's adaptive pooling: [m, n].
at::Tensor averages(int64_t n, int64_t m, c10::ScalarType type) {
  at::Tensor rows = at::zeros({m, n}, at::kDouble);
  for (int64_t i = 0; i < m; ++i) {
    const int64_t begin = i * n / m, end = ((i + 1) * n + m - 1) / m;
    rows[i].narrow(0, begin, end - begin).fill_(1.0 / static_cast<double>(end - begin));
  }
  return rows.to(type);
}

/// The same of sizes that a run finds, [1] int64 each.
Name averages(Emitter& e, const Name& n, const Name& m, c10::ScalarType type) {
  const Name one = e.integers({1});
  const Name i = e.add("Unsqueeze", {numbers_below(e, m), one});              // [m, 1]
  const Name j = e.add("Unsqueeze", {numbers_below(e, n), e.integers({0})});  // [1, n]
  const Name begin = e.add("Div", {e.add("Mul", {i, n}), m});
  const Name reach = e.add("Add", {e.add("Mul", {e.add("Add", {i, one}), n}), e.add("Sub", {m, one})});
  const Name inside =
      e.add("And", {e.add("GreaterOrEqual", {j, begin}), e.add("Less", {j, e.add("Div", {reach, m})})});
  const Name rows = cast(e, inside, at::kBool, type);
  return e.add("Div", {rows, e.add("ReduceSum", {rows, one})});
}

/// Means along the last axes, one or two, by products of matrices [places after, before].
Name averaged(Emitter& e, const Name& x, const std::vector<Name>& rows) {
  const Name along =
      e.add("MatMul", {x, e.add("Transpose", {rows.back()}, {{"perm", std::vector<int64_t>{1, 0}}})});
  return rows.size() == 1 ? along : e.add("MatMul", {rows[0], along});
}

/// To a single place: a global pool. To several: windows of one size, where the input's size is known and a multiple;
/// means of windows of several sizes by products of matrices.
std::vector<Name> adaptive_pool(Emitter& e, const CallView& call, const std::string& op) {
  const auto wanted = call.list("output_size");
  const auto& value = call.value("self");
  std::vector<int64_t> kernel;
  std::vector<Name> rows;
  bool is_global = true, is_even = true, is_known = true;
  const auto type = call.result().dtype;
  for (size_t k = 0; k < wanted.size(); ++k) {
    const size_t axis = value.sizes.size() - wanted.size() + k;
    const int64_t size = value.sizes[axis];
    const auto own = static_cast<int64_t>(axis);
    const bool is_dynamic = call.is_dynamic(own, "self");
    const auto number =
        wanted[k].is_none() ? (is_dynamic ? std::nullopt : std::optional(size)) : e.known_size(wanted[k]);
    is_global = is_global && number == 1;
    is_known = is_known && number && (*number == 1 || !is_dynamic);
    is_even = is_even && number && size % *number == 0;
    kernel.push_back(number ? std::max<int64_t>(1, size / *number) : 1);
  }
  if (is_global) return {e.add("Global" + op, {call.tensor("self")})};
  if (is_even && is_known)
    return {e.add(op, {call.tensor("self")}, {{"kernel_shape", kernel}, {"strides", kernel}})};
  if (op != "AveragePool" || wanted.size() > 2)
    call.refuse("windows of several sizes, or of sizes that a run finds");
  for (size_t k = 0; k < wanted.size(); ++k) {
    const size_t axis = value.sizes.size() - wanted.size() + k;
    const Name n = e.size_of(call.tensor("self"), static_cast<int64_t>(axis));
    const auto number = wanted[k].is_none() ? std::nullopt : e.known_size(wanted[k]);
    rows.push_back(number && !call.is_dynamic(static_cast<int64_t>(axis), "self")
                       ? e.constant(averages(value.sizes[axis], *number, type))
                       : averages(e, n, wanted[k].is_none() ? n : e.size(wanted[k]), type));
  }
  return {averaged(e, call.tensor("self"), rows)};
}

}  // namespace

void add_pooling(Rules& rules) {
  for (const char* axes : {"1d", "2d", "3d"}) {
    const auto name = [&](const char* op) { return std::string("aten::") + op + axes; };
    rules[name("max_pool")] = max_pool;
    rules[name("avg_pool")] = average_pool;
    rules[name("adaptive_avg_pool")] = [](Emitter& e, const CallView& call) {
      return adaptive_pool(e, call, "AveragePool");
    };
    rules[name("adaptive_max_pool")] = [](Emitter& e, const CallView& call) {
      return adaptive_pool(e, call, "MaxPool");
    };
  }
}

}  // namespace inn::onnx
