#pragma once
// Integral multi-head attention.

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <optional>

#include "inn/model/integral_layers.h"

namespace inn {

struct IntegralMultiheadAttentionOptions {
  IntegralAxis embed;  // of the queries and of the output
  IntegralAxis heads;
  IntegralAxis head_dim;  // of one head's queries and keys
  bool bias = true;
  double dropout = 0;                                    // of the attention weights, while training
  std::optional<IntegralAxis> value_dim = std::nullopt;  // of one head's values; else head_dim
  std::optional<IntegralAxis> key = std::nullopt;        // embedding of the keys; else embed
  std::optional<IntegralAxis> value = std::nullopt;      // embedding of the values; else that of the keys
};

/// Self- and cross-attention, an integral over the embedding, the heads and the head dimension, whose widths
/// are independent.
///
/// softmax(s ∫ q(h, x) k(h, x) dx) v, for each head h, and an integral over heads and head dimension. The
/// quadrature weights of the contraction of queries with keys are applied once, to the queries; its scale s
/// is 1/√d for the source's head dimension (docs/math.md, "Integral layers"). The embedding width can differ
/// from heads times head dimension.
class IntegralMultiheadAttentionImpl : public torch::nn::Module {
 public:
  /// Projections are initialized like torch::nn::Linear.
  explicit IntegralMultiheadAttentionImpl(IntegralMultiheadAttentionOptions options);

  /// query: [n, l, embed], key: [n, s, key], value: [n, s, value], at the current widths. Returns [n, l,
  /// embed]. mask: [l, s] or what broadcasts to [n, heads, l, s]; added to the scores or, if boolean, true
  /// for positions that are attended to.
  at::Tensor forward(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                     const at::Tensor& mask = {});
  /// Self-attention.
  at::Tensor forward(const at::Tensor& input) { return forward(input, input, input); }
  void resize_embed(int64_t width) { options_.embed.resize(width); }
  void resize_heads(int64_t width) { options_.heads.resize(width); }
  void resize_head_dim(int64_t width) { options_.head_dim.resize(width); }
  const IntegralMultiheadAttentionOptions& options() const { return options_; }

  IntegralLinear query_projection{nullptr}, key_projection{nullptr};
  IntegralLinear value_projection{nullptr}, output_projection{nullptr};

 private:
  IntegralMultiheadAttentionOptions options_;
};
TORCH_MODULE(IntegralMultiheadAttention);

}  // namespace inn
