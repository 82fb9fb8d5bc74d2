// Recurrent layers of one level, in one direction or two.

#include "operators.h"

namespace inn::onnx::reading {
namespace {

/// A layer's weights in torch's order of gates, and its input and first states.
struct Layer {
  int64_t directions = 1, hidden = 0;
  std::vector<at::Tensor> weights;
  bool has_bias = false, is_reversed = false;
};

/// The rows of a weight [gates · hidden, …], gate by gate in another order.
at::Tensor with_gates(const at::Tensor& weight, const std::vector<int64_t>& order) {
  const auto gates = weight.chunk(static_cast<int64_t>(order.size()), 0);
  std::vector<at::Tensor> ordered;
  for (const auto gate : order) ordered.push_back(gates.at(static_cast<size_t>(gate)));
  return at::cat(ordered);
}

/// Input 1: W [directions, gates · hidden, inputs], 2: R [directions, gates · hidden, hidden], 3: B [directions, 2 · gates · hidden].
Layer layer_of(NodeView& node, const std::vector<int64_t>& order) {
  node.require_that(!node.has(4), "sequences of different lengths (sequence_lens) are not supported");
  node.require_that(node.attribute("layout", 0) == 0, "layout 1 is not supported");
  node.require_that(!node.has_attribute("clip"), "'clip' is not supported");
  node.ignore({"hidden_size", "activations"});
  const auto direction = node.text("direction", "forward");
  node.require_that(direction == "forward" || direction == "bidirectional" || direction == "reverse",
                    fmt::format("unknown direction '{}'", direction));
  Layer layer;
  layer.directions = direction == "bidirectional" ? 2 : 1;
  layer.is_reversed = direction == "reverse";
  const auto *input = node.constant(1), *recurrent = node.constant(2), *bias = node.constant(3);
  node.require_that(input != nullptr && recurrent != nullptr && (!node.has(3) || bias != nullptr),
                    "its weights must be constants");
  layer.hidden = node.attribute("hidden_size", recurrent->size(-1));
  const auto rows = static_cast<int64_t>(order.size()) * layer.hidden;
  node.require_that(layer.hidden >= 1 && input->dim() == 3 && input->size(0) == layer.directions &&
                        input->size(1) == rows &&
                        recurrent->sizes() == at::IntArrayRef({layer.directions, rows, layer.hidden}) &&
                        (bias == nullptr || bias->sizes() == at::IntArrayRef({layer.directions, 2 * rows})),
                    "the sizes of its weights do not fit");
  layer.has_bias = bias != nullptr;
  for (int64_t d = 0; d < layer.directions; ++d) {
    const std::string suffix = d == 0 ? "_l0" : "_l0_reverse";
    for (const size_t i : {1, 2})
      layer.weights.push_back(
          node.derived(i, suffix, [&](const at::Tensor& weight) { return with_gates(weight[d], order); }));
    if (!layer.has_bias) continue;
    for (const int64_t part : {0, 1})
      layer.weights.push_back(node.derived(
          3, (part == 0 ? "_ih" : "_hh") + suffix,
          [&](const at::Tensor& both) { return with_gates(both[d].narrow(0, part * rows, rows), order); }));
  }
  return layer;
}

/// The sequence in the order in which the layer reads it.
at::Tensor in_order(const at::Tensor& x, const Layer& layer) {
  return layer.is_reversed ? at::flip(x, {0}) : x;
}

at::Tensor first_state(NodeView& node, size_t input, const at::Tensor& x, const Layer& layer) {
  if (node.has(input)) return node.tensor(input);
  return at::zeros({layer.directions, x.size(1), layer.hidden}, x.options());
}

/// [time, batch, directions · hidden] as ONNX's [time, directions, batch, hidden].
at::Tensor of_directions(const at::Tensor& given, const Layer& layer) {
  const auto y = in_order(given, layer);
  if (layer.directions == 1) return at::unsqueeze(y, 1);
  return at::transpose(at::reshape(y, {y.size(0), y.size(1), layer.directions, layer.hidden}), 1, 2);
}

void require_activations(NodeView& node, const std::vector<std::string>& expected) {
  const auto* given = node.find("activations");
  if (given == nullptr) return;
  const auto* names = std::get_if<std::vector<std::string>>(&given->value);
  node.require_that(names != nullptr, "'activations' must be names");
  for (size_t i = 0; i < names->size(); ++i)
    node.require_that((*names)[i] == expected[i % expected.size()],
                      fmt::format("activation '{}' is not supported", (*names)[i]));
}

Tensors lstm(NodeView& node) {
  require_activations(node, {"Sigmoid", "Tanh", "Tanh"});
  node.require_that(!node.has(7), "peepholes are not supported");
  node.require_that(node.attribute("input_forget", 0) == 0, "'input_forget' is not supported");
  const auto x = node.tensor(0);
  const auto layer =
      layer_of(node, {0, 2, 3, 1});  // ONNX: input, output, forget, cell; torch: input, forget, cell, output
  const auto [y, h, c] =
      at::lstm(in_order(x, layer), {first_state(node, 5, x, layer), first_state(node, 6, x, layer)},
               layer.weights, layer.has_bias, 1, 0.0, false, layer.directions == 2, false);
  return {of_directions(y, layer), h, c};
}

Tensors gru(NodeView& node) {
  require_activations(node, {"Sigmoid", "Tanh"});
  node.require_that(node.attribute("linear_before_reset", 0) == 1,
                    "a reset before the product (linear_before_reset = 0) is not supported");
  const auto x = node.tensor(0);
  const auto layer = layer_of(node, {1, 0, 2});  // ONNX: update, reset, hidden; torch: reset, update, new
  const auto [y, h] = at::gru(in_order(x, layer), first_state(node, 5, x, layer), layer.weights,
                              layer.has_bias, 1, 0.0, false, layer.directions == 2, false);
  return {of_directions(y, layer), h};
}

Tensors rnn(NodeView& node) {
  require_activations(node, {"Tanh"});
  const auto x = node.tensor(0);
  const auto layer = layer_of(node, {0});
  const auto [y, h] = at::rnn_tanh(in_order(x, layer), first_state(node, 5, x, layer), layer.weights,
                                   layer.has_bias, 1, 0.0, false, layer.directions == 2, false);
  return {of_directions(y, layer), h};
}

}  // namespace

void add_recurrent(Operators& operators) {
  operators["LSTM"] = lstm;
  operators["GRU"] = gru;
  operators["RNN"] = rnn;
}

}  // namespace inn::onnx::reading
