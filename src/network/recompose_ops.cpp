#include "recompose_ops.h"

#include "inn/network/eliminate_dead_code.h"
#include "inn/network/value_uses.h"

namespace inn {
namespace {

void name_convolution(Call& call, const Network& network) {
  // input, weight, bias, stride, padding, dilation, transposed, output_padding, groups
  const auto given = call.arguments;
  if (!given[1].is_value()) return;
  const auto rank = network.values[given[1].value()].sizes.size();
  if (rank < 3 || rank > 5) return;
  const bool transposed = given[6].constant().toBool();
  call.op = fmt::format("aten::conv{}{}d", transposed ? "_transpose" : "", rank - 2);
  call.overload = transposed && rank > 3 ? "input" : "";
  call.arguments = transposed ? std::vector<Argument>{given[0], given[1], given[2], given[3],
                                                      given[4], given[7], given[8], given[5]}
                              : std::vector<Argument>{given[0], given[1], given[2], given[3],
                                                      given[4], given[5], given[8]};
}

/// Whether the argument is the number 1, of any type.
bool is_one(const Argument& argument) {
  return argument.is_constant() && argument.constant().isScalar() && argument.constant().toScalar().equal(1);
}

void name_linear(Call& call, const Argument& input, const Argument& weight, const Argument& bias) {
  call.op = "aten::linear";
  call.arguments = {input, weight, bias};
}

/// Adding a vector of the state to the result of a `linear` without a bias that nothing else reads is that layer's bias.
void add_biases(Network& network) {
  const ValueUses uses(network);
  for (auto& call : network.calls) {
    if (call.qualified_name() != "aten::add.Tensor" || !is_one(call.arguments[2])) continue;
    for (const size_t side : {0, 1}) {
      const auto &sum = call.arguments[side], &bias = call.arguments[1 - side];
      if (!sum.is_value() || !bias.is_value() || !uses.state_of(bias.value())) continue;
      const auto producer = uses.producer(sum.value());
      if (!producer || uses.readers(sum.value()).size() != 1 || uses.is_output(sum.value())) continue;
      Call& layer = network.calls[*producer];
      if (layer.op != "aten::linear" || !layer.arguments[2].is_none()) continue;
      const auto& weight = network.values[static_cast<size_t>(layer.arguments[1].value())];
      if (network.values[static_cast<size_t>(bias.value())].sizes != std::vector<int64_t>{weight.sizes.at(0)})
        continue;
      // The layer moves here; what it computed before is dead.
      call.op = layer.op;
      call.overload = layer.overload;
      call.module = layer.module;
      call.arguments = {layer.arguments[0], layer.arguments[1], bias};
      break;
    }
  }
}

}  // namespace

void recompose_ops(Network& network) {
  std::map<ValueId, Argument> transposed;  // the matrices whose transposes the values are
  for (auto& call : network.calls) {
    const auto name = call.qualified_name();
    const auto matrix_of = [&](const Argument& argument) -> const Argument* {
      const auto found = argument.is_value() ? transposed.find(argument.value()) : transposed.end();
      return found == transposed.end() ? nullptr : &found->second;
    };
    if (name == "aten::_convolution" || name == "aten::convolution") {
      name_convolution(call, network);
    } else if (name == "aten::t" && call.arguments[0].is_value()) {
      const auto& sizes = network.values[call.arguments[0].value()].sizes;
      if (sizes.size() == 2) transposed[call.results[0].values[0]] = call.arguments[0];
    } else if (name == "aten::matmul") {
      if (const auto* weight = matrix_of(call.arguments[1]))
        name_linear(call, call.arguments[0], *weight, Argument());
    } else if (name == "aten::addmm" && is_one(call.arguments[3]) && is_one(call.arguments[4])) {
      const bool is_bias =
          call.arguments[0].is_value() && network.values[call.arguments[0].value()].sizes.size() == 1;
      const auto* weight = matrix_of(call.arguments[2]);
      if (is_bias && weight) name_linear(call, call.arguments[1], *weight, call.arguments[0]);
    }
  }
  add_biases(network);
  eliminate_dead_code(network);
}

}  // namespace inn
