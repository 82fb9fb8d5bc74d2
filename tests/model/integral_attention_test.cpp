#include "inn/model/integral_attention.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

namespace inn {
namespace {

constexpr double kAttention = 1e-12;  // float64, sums of some tens of terms

/// What an axis maps by, as a matrix.
at::Tensor map_matrix(const IntegralAxis& axis, MemberRole role) {
  const auto maps = interpolation_maps(axis.source_width(), axis.grid().points(), find_kernel("cubic"),
                                       find_quadrature("rectangle"));
  return (role == MemberRole::produce ? maps.produce : maps.consume).to_dense();
}

IntegralMultiheadAttention drawn_attention(const IntegralMultiheadAttentionOptions& options) {
  at::NoGradGuard no_grad;
  IntegralMultiheadAttention layer(options);
  layer->to(at::kDouble);
  for (auto& parameter : layer->parameters()) parameter.copy_(at::randn_like(parameter) * 0.5 + 0.1);
  return layer;
}

/// Against attention written out, with matrices that are mapped as whole axes.
TEST(IntegralAttentionLayer, WeighsTheContractionOfQueriesAndKeysOnce) {
  at::manual_seed(3);
  IntegralAxis embed = 8, heads = 4, dim = 5, value_dim = 3;
  auto layer = drawn_attention(IntegralMultiheadAttentionOptions{
      .embed = embed, .heads = heads, .head_dim = dim, .value_dim = value_dim});
  layer->eval();
  embed.resize(6);
  heads.resize(3);
  dim.resize(4);
  value_dim.resize(6);
  at::NoGradGuard no_grad;
  const auto x = at::randn({2, 7, 6}, at::kDouble);
  const auto project = [&](const IntegralLinear& projection, MemberRole role, const IntegralAxis& width) {
    const auto rows = at::kron(map_matrix(heads, MemberRole::produce), map_matrix(width, role));
    const auto weight = rows.matmul(projection->weight).matmul(map_matrix(embed, MemberRole::consume).t());
    return at::linear(x, weight, rows.mv(projection->bias)).view({2, 7, 3, -1}).transpose(1, 2);
  };
  const auto q = project(layer->query_projection, MemberRole::consume, dim);
  const auto k = project(layer->key_projection, MemberRole::produce, dim);
  const auto v = project(layer->value_projection, MemberRole::produce, value_dim);
  const auto mixed = at::softmax(q.matmul(k.transpose(2, 3)) / std::sqrt(5.0), -1).matmul(v);
  const auto columns =
      at::kron(map_matrix(heads, MemberRole::consume), map_matrix(value_dim, MemberRole::consume));
  const auto weight =
      map_matrix(embed, MemberRole::produce).matmul(layer->output_projection->weight).matmul(columns.t());
  const auto bias = map_matrix(embed, MemberRole::produce).mv(layer->output_projection->bias);
  const auto expected = at::linear(mixed.transpose(1, 2).flatten(2), weight, bias);
  EXPECT_LE((layer->forward(x) - expected).abs().max().item<double>(), kAttention);
}

TEST(IntegralAttentionLayer, MasksAndDropsAsTorchDoes) {
  at::manual_seed(3);
  auto layer = drawn_attention(
      IntegralMultiheadAttentionOptions{.embed = 8, .heads = 2, .head_dim = 4, .dropout = 0.5});
  layer->eval();
  const auto x = at::randn({2, 7, 8}, at::kDouble);
  // Where position 3 attends to itself alone, the others do not reach it.
  const auto mask = at::eye(7, at::kBool);
  const auto masked = layer->forward(x, x, x, mask), alone = layer->forward(x.narrow(1, 3, 1));
  EXPECT_LE((masked.narrow(1, 3, 1) - alone).abs().max().item<double>(), kAttention);
  layer->train();
  EXPECT_FALSE(at::equal(layer->forward(x), layer->forward(x)));
}

}  // namespace
}  // namespace inn
