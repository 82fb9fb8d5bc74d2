#include "inn/network/linear_call.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/function_schema.h>

#include <map>

#include "inn/core/error.h"

namespace inn {
namespace {

/// The argument of that name, by the schema of the call.
const Argument* find_argument(const Call& call, const char* name) {
  const auto& schema = find_schema(call.op, call.overload);
  const auto index = schema.argumentIndexWithName(name);
  return index ? &call.arguments.at(static_cast<size_t>(*index)) : nullptr;
}

std::vector<int64_t> integers(const Network& network, const Argument& argument) {
  std::vector<int64_t> symbols;
  for (const auto& symbol : network.symbols) symbols.push_back(symbol.value);
  if (argument.is_constant() && argument.constant().isIntList()) return argument.constant().toIntVector();
  if (argument.is_constant() && argument.constant().isInt()) return {argument.constant().toInt()};
  if (argument.is_size()) return {argument.size().evaluate(symbols)};
  std::vector<int64_t> result;
  if (argument.is_list())
    for (const auto& item : argument.list()) {
      const auto part = integers(network, item);
      result.insert(result.end(), part.begin(), part.end());
    }
  return result;
}

/// What a convolution does with positions, one number for each spatial axis.
struct Window {
  std::vector<int64_t> stride, before, after, dilation;
};

Window window_of(const Network& network, const LinearCall& linear) {
  const auto& call = network.calls[linear.call];
  const auto& weight = network.state[linear.weight].tensor;
  const auto axes = static_cast<size_t>(weight.dim() - 2);
  const auto spread = [&](const char* name) {
    auto numbers = integers(network, *find_argument(call, name));
    if (numbers.size() == 1) numbers.resize(axes, numbers[0]);
    return numbers;
  };
  Window window{spread("stride"), {}, {}, spread("dilation")};
  const auto& padding = *find_argument(call, "padding");
  if (padding.is_constant() && padding.constant().isString()) {
    for (size_t d = 0; d < axes; ++d) {
      const bool same = padding.constant().toStringRef() == "same";
      const int64_t whole = same ? window.dilation[d] * (weight.size(static_cast<int64_t>(d) + 2) - 1) : 0;
      window.before.push_back(whole / 2);
      window.after.push_back(whole - whole / 2);
    }
  } else {
    window.before = window.after = spread("padding");
  }
  return window;
}

/// Input of a convolution that slides over its outputs one by one: for a transposed one zeros stand between
/// its inputs, and the window has stride 1.
at::Tensor padded_input(const Network& network, const LinearCall& linear, const at::Tensor& x,
                        Window& window) {
  const auto& weight = network.state[linear.weight].tensor;
  const auto axes = static_cast<size_t>(weight.dim() - 2);
  at::Tensor input = x;
  if (linear.kind == LinearCall::Kind::transposed_convolution) {
    auto extra = integers(network, *find_argument(network.calls[linear.call], "output_padding"));
    if (extra.size() == 1) extra.resize(axes, extra[0]);
    std::vector<int64_t> sizes(input.sizes().begin(), input.sizes().begin() + 2);
    for (size_t d = 0; d < axes; ++d)
      sizes.push_back((input.size(static_cast<int64_t>(d) + 2) - 1) * window.stride[d] + 1);
    at::Tensor spread = at::zeros(sizes, input.options()), view = spread;
    for (size_t d = 0; d < axes; ++d)
      view = view.slice(static_cast<int64_t>(d) + 2, 0, c10::nullopt, window.stride[d]);
    view.copy_(input);
    input = spread;
    for (size_t d = 0; d < axes; ++d) {
      const int64_t reach = window.dilation[d] * (weight.size(static_cast<int64_t>(d) + 2) - 1);
      window.after[d] = reach - window.before[d] + extra[d];
      window.before[d] = reach - window.before[d];
      window.stride[d] = 1;
    }
  }
  std::vector<int64_t> pads;  // from the last axis
  for (size_t d = axes; d-- > 0;) {
    pads.push_back(window.before[d]);
    pads.push_back(window.after[d]);
  }
  return at::constant_pad_nd(input, pads);
}

/// [samples, all positions, width] and its chosen positions.
at::Tensor at_positions(const at::Tensor& rows, const PositionSample& positions) {
  const auto chosen = chosen_positions(rows.size(1), positions);
  return chosen.size(0) == rows.size(1) ? rows : rows.index_select(1, chosen.to(rows.device()));
}

int64_t groups_of(const Network& network, const LinearCall& linear) {
  if (linear.kind == LinearCall::Kind::linear) return 1;
  return integers(network, *find_argument(network.calls[linear.call], "groups")).at(0);
}

}  // namespace

at::Tensor chosen_positions(int64_t count, const PositionSample& positions) {
  if (count <= positions.most) return at::arange(count);
  auto generator = at::detail::createCPUGenerator(positions.seed);
  return std::get<0>(
      at::randperm(count, generator, at::TensorOptions(at::kLong)).narrow(0, 0, positions.most).sort());
}

MaybeLinearCall linear_call(const Network& network, size_t index) {
  return linear_call(network, ValueUses(network), index);
}

std::vector<MaybeLinearCall> linear_calls(const Network& network) {
  const ValueUses uses(network);
  std::vector<MaybeLinearCall> result;
  for (size_t c = 0; c < network.calls.size(); ++c) result.push_back(linear_call(network, uses, c));
  return result;
}

MaybeLinearCall linear_call(const Network& network, const ValueUses& uses, size_t index) {
  static const std::map<std::string, std::pair<LinearCall::Kind, std::array<const char*, 3>>> table{
      {"aten::linear", {LinearCall::Kind::linear, {"input", "weight", "bias"}}},
      {"aten::conv1d", {LinearCall::Kind::convolution, {"input", "weight", "bias"}}},
      {"aten::conv2d", {LinearCall::Kind::convolution, {"input", "weight", "bias"}}},
      {"aten::conv3d", {LinearCall::Kind::convolution, {"input", "weight", "bias"}}},
      {"aten::convolution", {LinearCall::Kind::convolution, {"input", "weight", "bias"}}},
      {"aten::conv_transpose1d", {LinearCall::Kind::transposed_convolution, {"input", "weight", "bias"}}},
      {"aten::conv_transpose2d", {LinearCall::Kind::transposed_convolution, {"input", "weight", "bias"}}},
      {"aten::conv_transpose3d", {LinearCall::Kind::transposed_convolution, {"input", "weight", "bias"}}},
      {"aten::addmm", {LinearCall::Kind::linear, {"mat1", "mat2", "self"}}},
      {"aten::mm", {LinearCall::Kind::linear, {"self", "mat2", nullptr}}},
      {"aten::matmul", {LinearCall::Kind::linear, {"self", "other", nullptr}}},
  };
  const auto& call = network.calls.at(index);
  const auto found = table.find(call.op);
  if (found == table.end()) return std::monostate{};
  const auto& [kind, names] = found->second;
  const Argument* input = find_argument(call, names[0]);
  const Argument* weight = find_argument(call, names[1]);
  if (!input->is_value() || !weight->is_value() || uses.state_of(input->value())) return std::monostate{};

  LinearCall linear{kind, index, input->value(), call.results.at(0).values.at(0), 0, {}};
  const bool second = call.op == "aten::addmm" || call.op == "aten::mm" || call.op == "aten::matmul";
  linear.input_first = second;
  if (call.op == "aten::convolution" && find_argument(call, "transposed")->constant().toBool())
    linear.kind = LinearCall::Kind::transposed_convolution;
  if (linear.kind == LinearCall::Kind::transposed_convolution) linear.input_first = true;

  // The weight itself, or transposed by one call.
  ValueId weight_value = weight->value();
  if (const auto producer = uses.producer(weight_value); second && producer) {
    const auto& other = network.calls[*producer];
    if ((other.op == "aten::t" || other.op == "aten::numpy_T") && other.arguments[0].is_value()) {
      weight_value = other.arguments[0].value();
      linear.input_first = !linear.input_first;
    }
  }
  const auto state = uses.state_of(weight_value);
  if (!state) {
    if (second) return std::monostate{};  // two activations
    return fmt::format("the weight of {} ({}) is computed", call.qualified_name(), call.module);
  }
  const auto& entry = network.state[*state];
  if (second && entry.tensor.dim() != 2) return std::monostate{};
  const size_t readers = uses.readers(weight_value).size();
  if (readers != 1) return fmt::format("'{}' is used by {} calls", entry.name, readers);
  if (entry.kind != StateEntry::Kind::parameter && entry.kind != StateEntry::Kind::buffer)
    return fmt::format("'{}' is not a parameter", entry.name);
  linear.weight = *state;
  if (names[2]) {
    const Argument* bias = find_argument(call, names[2]);
    if (bias->is_value()) {
      linear.bias = uses.state_of(bias->value());
      if (!linear.bias)
        return fmt::format("the bias of {} ({}) is computed", call.qualified_name(), call.module);
      if (network.state[*linear.bias].tensor.dim() != 1)
        return fmt::format("the bias of {} ({}) is not a vector", call.qualified_name(), call.module);
    }
  }
  return linear;
}

at::Tensor features_of(const Network& network, const LinearCall& linear, const at::Tensor& x, int64_t samples,
                       const PositionSample& positions) {
  if (linear.kind == LinearCall::Kind::linear)
    return at_positions(x.reshape({samples, -1, x.size(-1)}), positions).unsqueeze(0);
  const auto& weight = network.state[linear.weight].tensor;
  const auto axes = weight.dim() - 2;
  Window window = window_of(network, linear);
  at::Tensor patches = padded_input(network, linear, x, window);
  for (int64_t d = 0; d < axes; ++d) {
    const auto k = static_cast<size_t>(d);
    const int64_t reach = window.dilation[k] * (weight.size(d + 2) - 1) + 1;
    patches = patches.unfold(d + 2, reach, window.stride[k]).slice(-1, 0, c10::nullopt, window.dilation[k]);
  }
  // [N, C, positions…, taps…] to [N, positions, C, taps…], chosen positions first, since that copies.
  const int64_t groups = groups_of(network, linear), channels = patches.size(1);
  std::vector<int64_t> grid(patches.sizes().begin() + 2, patches.sizes().begin() + 2 + axes);
  int64_t count = 1;
  for (const auto size : grid) count *= size;
  auto chosen = chosen_positions(count, positions);
  std::vector<at::Tensor> indices(static_cast<size_t>(axes));
  for (int64_t d = axes; d-- > 0;) {
    indices[static_cast<size_t>(d)] = chosen.remainder(grid[static_cast<size_t>(d)]).to(x.device());
    chosen = chosen.div(grid[static_cast<size_t>(d)], "floor");
  }
  c10::List<std::optional<at::Tensor>> at_positions_list;
  at_positions_list.push_back(std::nullopt);
  at_positions_list.push_back(std::nullopt);
  for (const auto& index : indices) at_positions_list.push_back(index);
  const at::Tensor taken = at::index(patches, at_positions_list);  // [N, C, P, taps…]
  return taken.movedim(2, 1)
      .reshape({patches.size(0), indices[0].size(0), groups, -1})
      .movedim(2, 0)
      .reshape({groups, samples, -1, channels / groups * weight[0][0].numel()});
}

at::Tensor targets_of(const Network& network, const LinearCall& linear, const at::Tensor& y, int64_t samples,
                      const PositionSample& positions) {
  if (linear.kind == LinearCall::Kind::linear)
    return at_positions(y.reshape({samples, -1, y.size(-1)}), positions).unsqueeze(0);
  const int64_t groups = groups_of(network, linear);
  // [N, O, positions…] to [N, positions, O]
  const at::Tensor rows = at_positions(y.flatten(2).movedim(1, 2), positions);
  return rows.reshape({rows.size(0), rows.size(1), groups, -1})
      .movedim(2, 0)
      .reshape({groups, samples, -1, y.size(1) / groups});
}

at::Tensor weight_matrix(const Network& network, const LinearCall& linear) {
  return weight_matrix(network, linear, network.state[linear.weight].tensor.detach());
}

at::Tensor weight_matrix(const Network& network, const LinearCall& linear, const at::Tensor& weight) {
  if (linear.kind == LinearCall::Kind::linear)
    return (linear.input_first ? weight.t() : weight).contiguous().unsqueeze(0);
  const int64_t groups = groups_of(network, linear);
  if (linear.kind == LinearCall::Kind::convolution)
    return weight.reshape({groups, weight.size(0) / groups, -1}).clone();
  // [I, O/g, k…], whose taps run against the window's.
  std::vector<int64_t> taps;
  for (int64_t d = 2; d < weight.dim(); ++d) taps.push_back(d);
  const at::Tensor turned = weight.flip(taps).flatten(2);
  return turned.reshape({groups, weight.size(0) / groups, weight.size(1), -1})
      .transpose(1, 2)
      .reshape({groups, weight.size(1), -1});
}

at::Tensor weight_of_matrix(const Network& network, const LinearCall& linear, const at::Tensor& matrix) {
  const at::Tensor& like = network.state[linear.weight].tensor;
  if (linear.kind == LinearCall::Kind::linear)
    return (linear.input_first ? matrix[0].t() : matrix[0]).contiguous();
  if (linear.kind == LinearCall::Kind::convolution) return matrix.reshape(like.sizes()).contiguous();
  const int64_t groups = groups_of(network, linear);
  std::vector<int64_t> taps;
  for (int64_t d = 2; d < like.dim(); ++d) taps.push_back(d);
  return matrix.reshape({groups, like.size(1), like.size(0) / groups, -1})
      .transpose(1, 2)
      .reshape(like.sizes())
      .flip(taps)
      .contiguous();
}

}  // namespace inn
