// Recurrent layers: one node a level.

#include <ATen/ATen.h>

#include "../rules.h"

namespace inn::onnx {
namespace {

/// A kind of layer: ONNX's operator and the order of its gates among torch's.
struct Kind {
  const char* op;
  std::vector<int64_t> gates;
  std::vector<Attribute> attributes;
  size_t states;  // h, or h and c
};

at::Tensor with_gates(const at::Tensor& weight, const std::vector<int64_t>& gates) {
  const auto parts = weight.chunk(static_cast<int64_t>(gates.size()), 0);
  std::vector<at::Tensor> ordered;
  for (const auto gate : gates) ordered.push_back(parts.at(static_cast<size_t>(gate)));
  return at::cat(ordered);
}

/// The gates of an LSTM in torch's order: input, forget, candidate, output.
struct Gates {
  Name input, forget, candidate, output;

  Gates(Emitter& e, const Name& sums) {
    const auto parts = e.add_several("Split", {sums}, {{"axis", int64_t{1}}, {"num_outputs", int64_t{4}}}, 4);
    input = e.add("Sigmoid", {parts[0]});
    forget = e.add("Sigmoid", {parts[1]});
    candidate = e.add("Tanh", {parts[2]});
    output = e.add("Sigmoid", {parts[3]});
  }

  /// Moves the cell's state on, and returns its output.
  Name step(Emitter& e, Name& c) const {
    c = e.add("Add", {e.add("Mul", {forget, c}), e.add("Mul", {input, candidate})});
    return e.add("Mul", {output, e.add("Tanh", {c})});
  }
};

/// One direction of a level of an LSTM whose state is projected, which ONNX's operator has not: step by step.
struct ProjectedDirection {
  at::Tensor input, recurrent, bias,
      projection;  // [4·hidden, …] twice, [4·hidden] or undefined, [projected, hidden]
  Name h, c;       // [batch, projected], [batch, hidden]

  /// Returns its outputs of all steps, [time, batch, projected], and leaves the last states in h and c.
  Name run(Emitter& e, const Name& x, int64_t steps, bool is_backward) {
    const auto times = [&](const Name& rows, const at::Tensor& matrix) {
      return e.add("MatMul", {rows, e.constant(matrix.t().contiguous())});
    };
    Name gates = times(x, input);
    if (bias.defined()) gates = e.add("Add", {gates, e.constant(bias)});
    std::vector<Name> outputs(static_cast<size_t>(steps));
    for (int64_t s = 0; s < steps; ++s) {
      const int64_t t = is_backward ? steps - 1 - s : s;
      const Name own = e.add("Gather", {gates, e.scalar(t, at::kLong)}, {{"axis", int64_t{0}}});
      h = times(Gates(e, e.add("Add", {own, times(h, recurrent)})).step(e, c), projection);
      outputs[static_cast<size_t>(t)] = e.add("Unsqueeze", {h, e.integers({0})});
    }
    return e.add("Concat", outputs, {{"axis", int64_t{0}}});
  }
};

/// One step of an LSTM.
std::vector<Name> lstm_cell(Emitter& e, const CallView& call) {
  const auto states = call.tensors("hx");
  const auto product = [&](const Name& rows, const char* weight, const char* bias) {
    const Name made = e.add("MatMul", {rows, e.transposed(call.argument(weight).value())});
    return call.has(bias) ? e.add("Add", {made, call.tensor(bias)}) : made;
  };
  const Name gates =
      e.add("Add", {product(call.tensor("input"), "w_ih", "b_ih"), product(states.at(0), "w_hh", "b_hh")});
  Name c = states.at(1);
  const Name h = Gates(e, gates).step(e, c);
  return {h, c};
}

/// `weights`: of every level and direction, as torch has them.
std::vector<Name> projected_lstm(Emitter& e, const CallView& call, const std::vector<at::Tensor>& weights,
                                 const std::vector<ValueId>& first) {
  const bool has_biases = call.flag("has_biases"), is_batch_first = call.flag("batch_first");
  const int64_t levels = call.integer("num_layers"), directions = call.flag("bidirectional") ? 2 : 1;
  const int64_t time_axis = is_batch_first ? 1 : 0;
  const size_t each = has_biases ? 5 : 3;
  if (weights.size() != static_cast<size_t>(levels * directions) * each) call.refuse("its weights");
  if (call.is_dynamic(time_axis, "input")) call.refuse("projections over a dynamic length");
  const int64_t steps = call.value("input").sizes.at(static_cast<size_t>(time_axis));
  const std::vector<int64_t> exchanged{1, 0, 2};
  Name x = call.tensor("input");
  if (is_batch_first) x = e.add("Transpose", {x}, {{"perm", exchanged}});
  std::vector<std::vector<Name>> last(2);
  for (int64_t level = 0; level < levels; ++level) {
    std::vector<Name> outputs;
    for (int64_t d = 0; d < directions; ++d) {
      const int64_t place = level * directions + d;
      const auto* own = &weights[static_cast<size_t>(place) * each];
      const auto state = [&](size_t k) {
        return e.add("Gather", {e.name_of(first[k]), e.scalar(place, at::kLong)}, {{"axis", int64_t{0}}});
      };
      ProjectedDirection direction{own[0],        own[1],   has_biases ? own[2] + own[3] : at::Tensor(),
                                   own[each - 1], state(0), state(1)};
      outputs.push_back(direction.run(e, x, steps, d == 1));
      last[0].push_back(e.add("Unsqueeze", {direction.h, e.integers({0})}));
      last[1].push_back(e.add("Unsqueeze", {direction.c, e.integers({0})}));
    }
    x = directions == 1 ? outputs[0] : e.add("Concat", outputs, {{"axis", int64_t{2}}});
  }
  std::vector<Name> results{is_batch_first ? e.add("Transpose", {x}, {{"perm", exchanged}}) : x};
  for (const auto& states : last) results.push_back(e.add("Concat", states, {{"axis", int64_t{0}}}));
  return results;
}

Rule recurrent(const Kind& kind) {
  return [kind](Emitter& e, const CallView& call) -> std::vector<Name> {
    if (call.flag("train") && call.number("dropout") != 0) call.refuse("dropout");
    const bool has_biases = call.flag("has_biases"), is_both_ways = call.flag("bidirectional"),
               is_batch_first = call.flag("batch_first");
    const int64_t levels = call.integer("num_layers"), directions = is_both_ways ? 2 : 1;
    std::vector<at::Tensor> weights;
    for (const auto& item : call.list("params")) {
      const auto state = item.is_value() ? e.network().state_of(item.value()) : std::nullopt;
      if (!state) call.refuse("computed weights");
      weights.push_back(e.network().state[*state].tensor);
    }
    std::vector<ValueId> first;
    for (const auto& item : call.list("hx")) {
      if (!item.is_value()) call.refuse("its first states");
      first.push_back(item.value());
    }
    if (first.size() != kind.states) call.refuse("its first states");
    const auto hidden = weights.at(1).size(1);
    if (weights.size() != static_cast<size_t>(levels * directions) * (has_biases ? 4 : 2))
      return projected_lstm(e, call, weights, first);

    Name x = call.tensor("input");
    if (is_batch_first) x = e.add("Transpose", {x}, {{"perm", std::vector<int64_t>{1, 0, 2}}});
    std::vector<std::vector<Name>> last(kind.states);
    size_t next = 0;
    for (int64_t level = 0; level < levels; ++level) {
      std::vector<at::Tensor> input, recurrent, bias;
      for (int64_t d = 0; d < directions; ++d) {
        input.push_back(with_gates(weights[next], kind.gates));
        recurrent.push_back(with_gates(weights[next + 1], kind.gates));
        if (has_biases)
          bias.push_back(at::cat(
              {with_gates(weights[next + 2], kind.gates), with_gates(weights[next + 3], kind.gates)}));
        next += has_biases ? 4 : 2;
      }
      std::vector<Name> inputs{x, e.constant(at::stack(input)), e.constant(at::stack(recurrent)),
                               has_biases ? e.constant(at::stack(bias)) : Name(), Name()};
      for (const auto state : first) {
        const Name whole = e.name_of(state);
        inputs.push_back(levels == 1
                             ? whole
                             : e.add("Slice", {whole, e.integers({level * directions}),
                                               e.integers({(level + 1) * directions}), e.integers({0})}));
      }
      auto attributes = kind.attributes;
      attributes.push_back({"hidden_size", hidden});
      if (is_both_ways) attributes.push_back({"direction", std::string("bidirectional")});
      const auto outputs = e.add_several(kind.op, std::move(inputs), std::move(attributes), 1 + kind.states);
      // [time, directions, batch, hidden] as [time, batch, directions · hidden].
      x = directions == 1
              ? e.add("Squeeze", {outputs[0], e.integers({1})})
              : e.add("Reshape",
                      {e.add("Transpose", {outputs[0]}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}}),
                       e.integers({0, 0, directions * hidden})});
      for (size_t s = 0; s < kind.states; ++s) last[s].push_back(outputs[1 + s]);
    }
    if (is_batch_first) x = e.add("Transpose", {x}, {{"perm", std::vector<int64_t>{1, 0, 2}}});
    std::vector<Name> results{x};
    for (const auto& states : last)
      results.push_back(states.size() == 1 ? states[0] : e.add("Concat", states, {{"axis", int64_t{0}}}));
    return results;
  };
}

}  // namespace

void add_recurrent(Rules& rules) {
  rules["aten::lstm.input"] = recurrent({"LSTM", {0, 3, 1, 2}, {}, 2});
  rules["aten::lstm_cell"] = lstm_cell;
  rules["aten::gru.input"] = recurrent({"GRU", {1, 0, 2}, {{"linear_before_reset", int64_t{1}}}, 1});
  rules["aten::rnn_tanh.input"] = recurrent({"RNN", {0}, {}, 1});
}

}  // namespace inn::onnx
