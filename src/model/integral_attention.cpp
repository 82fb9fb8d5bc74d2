#include "inn/model/integral_attention.h"

#include <ATen/ATen.h>

#include <cmath>

namespace inn {

IntegralMultiheadAttentionImpl::IntegralMultiheadAttentionImpl(IntegralMultiheadAttentionOptions options)
    : torch::nn::Module("IntegralMultiheadAttention"), options_(std::move(options)) {
  const auto& heads = options_.heads;
  const auto key = options_.key.value_or(options_.embed);
  const auto value_dim = options_.value_dim.value_or(options_.head_dim);
  const auto projection = [&](const char* name, const IntegralAxis& in, const IntegralAxis& out) {
    return register_module(name, IntegralLinear(IntegralLinearOptions{in, out, options_.bias}));
  };
  query_projection = projection("query_projection", options_.embed, heads * options_.head_dim.weighted());
  key_projection = projection("key_projection", key, heads * options_.head_dim);
  value_projection = projection("value_projection", options_.value.value_or(key), heads * value_dim);
  output_projection = projection("output_projection", heads * value_dim, options_.embed);
}

at::Tensor IntegralMultiheadAttentionImpl::forward(const at::Tensor& query, const at::Tensor& key,
                                                   const at::Tensor& value, const at::Tensor& mask) {
  const auto& heads = options_.heads;
  const auto& head_dim = options_.head_dim;
  const auto value_dim = options_.value_dim.value_or(head_dim);
  const double dropout = is_training() ? options_.dropout : 0.0;
  const auto by_head = [&](const at::Tensor& x, int64_t width) {
    return x.unflatten(-1, {heads.width(), width}).transpose(1, 2);
  };
  const auto attended = at::scaled_dot_product_attention(
      by_head(query_projection->forward(query), head_dim.width()),
      by_head(key_projection->forward(key), head_dim.width()),
      by_head(value_projection->forward(value), value_dim.width()),
      mask.defined() ? std::optional<at::Tensor>(mask) : std::nullopt, dropout,
      /*is_causal=*/false, 1 / std::sqrt(static_cast<double>(head_dim.source_width())));
  return output_projection->forward(attended.transpose(1, 2).flatten(2));
}

}  // namespace inn
