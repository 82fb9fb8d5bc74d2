// Attention, and the positions that turn its queries and keys.

#include "operators.h"

namespace inn::onnx::reading {
namespace {

/// [batch, length, heads · size] as [batch, heads, length, size]; four axes as they are.
at::Tensor with_heads(NodeView& node, const at::Tensor& x, const char* attribute) {
  if (x.dim() == 4) return x;
  const auto heads = node.attribute(attribute, 0);
  node.require_that(x.dim() == 3 && heads >= 1 && x.size(2) % heads == 0,
                    fmt::format("'{}' does not fit the input", attribute));
  return at::transpose(at::reshape(x, {x.size(0), x.size(1), heads, x.size(2) / heads}), 1, 2);
}

Tensors attention(NodeView& node) {
  for (const size_t input : {4, 5, 6})
    node.require_that(!node.has(input), "past keys and lengths are not supported");
  node.require_that(node.real("softcap", 0) == 0, "'softcap' is not supported");
  node.ignore({"qk_matmul_output_mode", "softmax_precision", "q_num_heads", "kv_num_heads"});
  for (size_t output = 1; output < 4; ++output)
    node.require_that(!node.is_used(output), "only its first output is supported");
  const auto given = node.tensor(0);
  const auto q = with_heads(node, given, "q_num_heads"), k = with_heads(node, node.tensor(1), "kv_num_heads"),
             v = with_heads(node, node.tensor(2), "kv_num_heads");
  const bool is_causal = node.attribute("is_causal", 0) != 0;
  node.require_that(!is_causal || (!node.has(3) && q.size(2) == k.size(2)),
                    "causal attention with a mask or of other lengths is not supported");
  std::optional<at::Tensor> mask;
  if (node.has(3)) mask = node.tensor(3);
  std::optional<double> scale;
  if (node.has_attribute("scale")) scale = node.real("scale", 1);
  const auto y =
      at::scaled_dot_product_attention(q, k, v, mask, 0.0, is_causal, scale, q.size(1) != k.size(1));
  if (given.dim() == 4) return {y};
  return {at::reshape(at::transpose(y, 1, 2), {y.size(0), y.size(2), y.size(1) * y.size(3)})};
}

/// Pairs of each head's channels turned by angles given by their cosines and sines [batch, length, pairs].
Tensors rotary_embedding(NodeView& node) {
  const auto given = node.tensor(0);
  const auto x = with_heads(node, given, "num_heads");
  auto cosines = node.tensor(1), sines = node.tensor(2);
  if (node.has(3)) {
    const auto places = node.tensor(3);
    cosines = at::embedding(cosines, places);
    sines = at::embedding(sines, places);
  }
  const auto turned =
      node.attribute("rotary_embedding_dim", 0) == 0 ? x.size(3) : node.attribute("rotary_embedding_dim", 0);
  node.require_that(turned >= 2 && turned <= x.size(3) && turned % 2 == 0,
                    "'rotary_embedding_dim' does not fit the input");
  const auto c = at::unsqueeze(cosines, 1), s = at::unsqueeze(sines, 1);
  const auto part = turned == x.size(3) ? x : at::slice(x, 3, 0, turned);
  const bool is_interleaved = node.attribute("interleaved", 0) != 0;
  const auto a = is_interleaved ? at::slice(part, 3, 0, turned, 2) : at::slice(part, 3, 0, turned / 2);
  const auto b = is_interleaved ? at::slice(part, 3, 1, turned, 2) : at::slice(part, 3, turned / 2, turned);
  const auto first = at::sub(at::mul(a, c), at::mul(b, s)), second = at::add(at::mul(b, c), at::mul(a, s));
  auto y = is_interleaved ? at::flatten(at::stack({first, second}, -1), 3) : at::cat({first, second}, 3);
  if (turned != x.size(3)) y = at::cat({y, at::slice(x, 3, turned)}, 3);
  if (given.dim() == 4) return {y};
  return {at::reshape(at::transpose(y, 1, 2), given.sizes())};
}

}  // namespace

void add_attention(Operators& operators) {
  operators["Attention"] = attention;
  operators["RotaryEmbedding"] = rotary_embedding;
}

}  // namespace inn::onnx::reading
