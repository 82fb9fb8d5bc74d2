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

/// Means along the last two axes by products of matrices, where windows are of several sizes.
Name averaged(Emitter& e, const Name& x, at::IntArrayRef from, const std::vector<int64_t>& to,
              c10::ScalarType type) {
  const Name along = e.add("MatMul", {x, e.constant(averages(from[1], to[1], type).t().contiguous())});
  return e.add("MatMul", {e.constant(averages(from[0], to[0], type)), along});
}

/// To a single place: a global pool. To several: windows of one size, where the input's size is known and a multiple.
std::vector<Name> adaptive_pool(Emitter& e, const CallView& call, const std::string& op) {
  const auto wanted = call.list("output_size");
  const auto& value = call.value("self");
  std::vector<int64_t> kernel, before, after;
  bool is_global = true, is_even = true;
  for (size_t k = 0; k < wanted.size(); ++k) {
    const size_t axis = value.sizes.size() - wanted.size() + k;
    const int64_t size = value.sizes[axis];
    before.push_back(size);
    if (wanted[k].is_none()) {
      kernel.push_back(1);
      after.push_back(size);
      is_global = is_global && size == 1;
      continue;
    }
    const auto number = e.known_size(wanted[k]);
    if (!number) call.refuse("a computed output size");
    is_global = is_global && *number == 1;
    const bool is_dynamic = call.is_dynamic(static_cast<int64_t>(axis), "self");
    if (*number != 1 && is_dynamic) call.refuse("windows of a dynamic size");
    is_even = is_even && size % *number == 0;
    after.push_back(*number);
    kernel.push_back(std::max<int64_t>(1, size / *number));
  }
  if (is_global) return {e.add("Global" + op, {call.tensor("self")})};
  if (!is_even && (op != "AveragePool" || before.size() != 2)) call.refuse("windows of several sizes");
  if (!is_even) return {averaged(e, call.tensor("self"), before, after, call.result().dtype)};
  return {e.add(op, {call.tensor("self")}, {{"kernel_shape", kernel}, {"strides", kernel}})};
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
