#pragma once
// A network with attention, whose projections are products of heads and head dimension.

#include "network_builder.h"

namespace inn::test {

constexpr int64_t kAttentionWidth = 24, kAttentionHeads = 4, kAttentionDepth = 8;

/// Tokens [2, 7, 5] → 24 channels → fused queries, keys and values of 4 heads with 8 channels → 24 → 3, mean
/// over the tokens.
inline Network attention_network() {
  constexpr int kHeads = kAttentionHeads, kDepth = kAttentionDepth, kInner = kHeads * kDepth;
  NetworkBuilder b(12);
  const auto linear = [&](ValueRef x, const std::string& name, int64_t out, int64_t in) {
    return b.call("aten::linear", "", {x, b.parameter(name + ".weight", {out, in})});
  };
  const auto x = linear(b.input("x", {2, 7, 5}), "embed", kAttentionWidth, 5);
  auto y = linear(x, "qkv", 3 * kInner, kAttentionWidth);
  y = b.call("aten::reshape", "", {y, {2, 7, 3, kHeads, kDepth}});
  const auto parts = b.calls("aten::unbind", "int", {b.call("aten::permute", "", {y, {2, 0, 3, 1, 4}}), 0});
  y = b.call("aten::scaled_dot_product_attention", "", {parts[0], parts[1], parts[2]});
  y = b.call("aten::reshape", "", {b.call("aten::transpose", "int", {y, 1, 2}), {2, 7, kInner}});
  y = b.call("aten::add", "Tensor", {linear(y, "out", kAttentionWidth, kInner), x});
  return b.finish(b.call("aten::mean", "dim", {linear(y, "head", 3, kAttentionWidth), {1}}));
}

}  // namespace inn::test
