// Recurrent layers: the gates' axis is a multiple of the hidden width.

#include "rules/rules.h"

namespace inn::rules {
namespace {

AxisStructure gates_of(int64_t gates, const AxisStructure& hidden) {
  return AxisStructure::of_product({AxisStructure::of_constant(gates), hidden});
}

/// lstm, gru, rnn over a sequence. `params` holds for each layer and direction w_ih, w_hh, then b_ih and
/// b_hh, then w_hr where the state is projected.
void recur(RuleContext& context, int64_t gates) {
  const bool is_lstm = gates == 4;
  const TensorAxes input = context.axes("input");
  const auto params = context.list_axes("params");
  const auto states = is_lstm ? context.list_axes("hx") : std::vector<TensorAxes>{context.axes("hx")};
  const int64_t layers = context.integer("num_layers");
  const int64_t directions = context.flag("bidirectional") ? 2 : 1;
  const size_t count = params.size() / static_cast<size_t>(layers * directions);
  const bool biases = context.flag("has_biases"), projected = count == (biases ? 5u : 3u);

  const AxisStructure hidden = context.fresh(params.at(1)[0].size / gates);
  const AxisStructure state = projected ? context.fresh(states[0].back().size) : hidden;
  AxisStructure below = input.back();
  size_t next = 0;
  for (int64_t layer = 0; layer < layers; ++layer) {
    for (int64_t direction = 0; direction < directions; ++direction, next += count) {
      context.unify(params[next], {gates_of(gates, hidden), below});
      context.unify(params[next + 1], {gates_of(gates, hidden), state});
      context.consume("params", 1, next);
      context.consume("params", 1, next + 1);
      if (biases)
        for (const size_t bias : {next + 2, next + 3}) context.unify(params[bias], {gates_of(gates, hidden)});
      if (!projected) continue;
      context.unify(params[next + count - 1], {state, hidden});
      context.consume("params", 1, next + count - 1);
    }
    below = directions == 1 ? state : AxisStructure::of_sum({state, state});
  }

  const bool batched = input.size() == 3;
  const size_t time = batched && context.flag("batch_first") ? 1 : 0;
  context.pin(input[time], context.site() + " iterates over it");
  for (size_t s = 0; s < states.size(); ++s) {
    context.unify(states[s].back(), s == 0 ? state : hidden);
    context.pin(states[s][0], context.site() + " uses it as the number of layers");
    if (batched) context.unify(states[s][1], input[1 - time]);
  }
  TensorAxes output(input.begin(), input.end() - 1);
  output.push_back(below);
  context.set_result(output, 0);
  for (size_t s = 0; s < states.size(); ++s) context.set_result(states[s], s + 1);
}

/// One step of one layer.
void step(RuleContext& context, int64_t gates) {
  const bool is_lstm = gates == 4;
  const TensorAxes input = context.axes("input");
  const auto states = is_lstm ? context.list_axes("hx") : std::vector<TensorAxes>{context.axes("hx")};
  const AxisStructure hidden = states[0].back();
  context.unify(context.axes("w_ih"), {gates_of(gates, hidden), input.back()});
  context.unify(context.axes("w_hh"), {gates_of(gates, hidden), hidden});
  for (const auto* weight : {"w_ih", "w_hh"}) context.consume(weight, 1);
  for (const auto* bias : {"b_ih", "b_hh"})
    if (context.is_tensor(bias)) context.unify(context.axes(bias), {gates_of(gates, hidden)});
  for (const auto& state : states) {
    context.unify(state.back(), hidden);
    if (input.size() == 2) context.unify(state[0], input[0]);
  }
  for (size_t r = 0; r < context.result_count(); ++r) context.set_result(states[r], r);
}

}  // namespace

void add_recurrent(RuleTable& table) {
  const auto add = [&](const std::vector<std::string>& ops, int64_t gates) {
    table.add(
        ops,
        fmt::format(
            "result [t, n, h] (both directions: [t, n, h ⊕ h]) of input [t, n, i]; weights [{0}·h, i] and "
            "[{0}·h, h], biases [{0}·h]; i and h are consumed; a projected state has a width of its own",
            gates),
        [gates](RuleContext& context) { recur(context, gates); });
  };
  add({"aten::lstm.input"}, 4);
  add({"aten::gru.input"}, 3);
  add({"aten::rnn_tanh.input", "aten::rnn_relu.input"}, 1);
  const auto add_cell = [&](const std::vector<std::string>& ops, int64_t gates) {
    table.add(
        ops,
        fmt::format(
            "state [n, h] of input [n, i] and state [n, h]; weights [{0}·h, i] and [{0}·h, h]; i and h are "
            "consumed",
            gates),
        [gates](RuleContext& context) { step(context, gates); });
  };
  add_cell({"aten::lstm_cell"}, 4);
  add_cell({"aten::gru_cell"}, 3);
  add_cell({"aten::rnn_tanh_cell", "aten::rnn_relu_cell"}, 1);
}

}  // namespace inn::rules
