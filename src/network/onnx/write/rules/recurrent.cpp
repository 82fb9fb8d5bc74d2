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
      call.refuse("projections");

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
  rules["aten::gru.input"] = recurrent({"GRU", {1, 0, 2}, {{"linear_before_reset", int64_t{1}}}, 1});
  rules["aten::rnn_tanh.input"] = recurrent({"RNN", {0}, {}, 1});
}

}  // namespace inn::onnx
