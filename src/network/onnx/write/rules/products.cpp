// Products of matrices, attention, embeddings.

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>

#include "../rules.h"

namespace inn::onnx {
namespace {

Name swapped(Emitter& e, const Name& matrix, int64_t rank) {
  std::vector<int64_t> order;
  for (int64_t axis = 0; axis < rank; ++axis) order.push_back(axis);
  std::swap(order[static_cast<size_t>(rank - 1)], order[static_cast<size_t>(rank - 2)]);
  return e.add("Transpose", {matrix}, {{"perm", order}});
}

std::vector<Name> linear(Emitter& e, const CallView& call) {
  if (call.rank("input") == 2)
    return {e.add("Gemm", {call.tensor("input"), call.tensor("weight"), call.tensor("bias")},
                  {{"transB", int64_t{1}}})};
  const Name transposed = e.transposed(call.argument("weight").value());
  const Name product = e.add("MatMul", {call.tensor("input"), transposed});
  return {call.has("bias") ? e.add("Add", {product, call.tensor("bias")}) : product};
}

Rule product(const std::string& first, const std::string& second) {
  return [=](Emitter& e, const CallView& call) -> std::vector<Name> {
    return {e.add("MatMul", {call.tensor(first), call.tensor(second)})};
  };
}

/// beta · self + alpha · product; with `is_summed` the product is summed over its first axis.
Rule added_product(const std::string& first, const std::string& second, bool is_summed = false) {
  return [=](Emitter& e, const CallView& call) -> std::vector<Name> {
    const auto type = call.result().dtype;
    Name product = e.add("MatMul", {call.tensor(first), call.tensor(second)}), self = call.tensor("self");
    if (is_summed) product = e.add("ReduceSum", {product, e.integers({0})}, {{"keepdims", int64_t{0}}});
    if (call.number("alpha") != 1) product = e.add("Mul", {product, e.scalar(call.scalar("alpha"), type)});
    if (call.number("beta") != 1) self = e.add("Mul", {self, e.scalar(call.scalar("beta"), type)});
    return {e.add("Add", {self, product})};
  };
}

/// softmax(q kᵀ·scale + mask) v, by its definition.
std::vector<Name> attention(Emitter& e, const CallView& call) {
  const auto& query = call.value("query");
  const auto& key = call.value("key");
  const auto type = call.result().dtype;
  const int64_t rank = call.rank("query");
  if (call.number("dropout_p") != 0) call.refuse("dropout");
  // Of grouped queries: each head of the keys and the values as often as queries share it.
  const bool is_grouped =
      call.has("enable_gqa") && call.flag("enable_gqa") && query.sizes.at(1) != key.sizes.at(1);
  const auto of_queries = [&](const std::string& name) {
    const Name heads = call.tensor(name);
    if (!is_grouped) return heads;
    const int64_t own = call.value(name).sizes.at(1);
    const auto index = at::arange(own, at::kLong).repeat_interleave(query.sizes.at(1) / own);
    return e.add("Gather", {heads, e.constant(index)}, {{"axis", int64_t{1}}});
  };
  const double scale =
      call.has("scale") ? call.number("scale") : 1 / std::sqrt(static_cast<double>(query.sizes.back()));
  // Half of the scale on each side, which keeps float16 in its range.
  const Name root = e.scalar(std::sqrt(std::abs(scale)), type);
  Name scores = e.add("MatMul", {e.add("Mul", {call.tensor("query"), root}),
                                 swapped(e, e.add("Mul", {of_queries("key"), root}), rank)});
  if (scale < 0) scores = e.add("Neg", {scores});
  if (call.flag("is_causal")) {
    const int64_t rows = query.sizes.at(static_cast<size_t>(rank - 2)),
                  columns = key.sizes.at(static_cast<size_t>(rank - 2));
    if (call.is_dynamic(rank - 2, "query")) call.refuse("a causal mask of a dynamic length");
    const auto visible = at::ones({rows, columns}, at::kBool).tril();
    const auto mask = at::zeros({rows, columns}, at::TensorOptions(type))
                          .masked_fill(visible.logical_not(), -std::numeric_limits<double>::infinity());
    scores = e.add("Add", {scores, e.constant(mask)});
  }
  if (call.has("attn_mask")) {
    Name mask = call.tensor("attn_mask");
    if (call.type("attn_mask") == at::kBool)
      mask =
          e.add("Where", {mask, e.scalar(0, type), e.scalar(-std::numeric_limits<double>::infinity(), type)});
    scores = e.add("Add", {scores, mask});
  }
  return {e.add("MatMul", {e.add("Softmax", {scores}, {{"axis", int64_t{-1}}}), of_queries("value")})};
}

std::vector<Name> embedding(Emitter& e, const CallView& call) {
  return {e.add("Gather", {call.tensor("weight"), call.tensor("indices")}, {{"axis", int64_t{0}}})};
}

/// Letters for the axes of a tensor, from `first` on.
std::string letters(int64_t rank, char first = 'a') {
  std::string text;
  for (int64_t axis = 0; axis < rank; ++axis) text += static_cast<char>(first + axis);
  return text;
}

Name by_equation(Emitter& e, std::vector<Name> factors, const std::string& equation) {
  return e.add("Einsum", std::move(factors), {{"equation", equation}});
}

/// Sums over pairs of axes: what is left are the other axes of `self`, then those of `other`.
Name contracted(Emitter& e, const CallView& call, const std::vector<int64_t>& of_self,
                const std::vector<int64_t>& of_other) {
  const std::string own = letters(call.rank("self"));
  std::string others = letters(call.rank("other"), static_cast<char>('a' + own.size())), left;
  for (size_t k = 0; k < of_self.size(); ++k)
    others[static_cast<size_t>(of_other[k])] = own[static_cast<size_t>(of_self[k])];
  for (const char letter : own)
    if (others.find(letter) == std::string::npos) left += letter;
  for (const char letter : others)
    if (own.find(letter) == std::string::npos) left += letter;
  return by_equation(e, {call.tensor("self"), call.tensor("other")}, own + "," + others + "->" + left);
}

std::vector<Name> inner(Emitter& e, const CallView& call) {
  if (call.rank("self") == 0 || call.rank("other") == 0)
    return {e.add("Mul", {call.tensor("self"), call.tensor("other")})};
  return {contracted(e, call, {call.rank("self") - 1}, {call.rank("other") - 1})};
}

std::vector<Name> tensordot(Emitter& e, const CallView& call) {
  return {contracted(e, call, call.axes("dims_self", "self"), call.axes("dims_other", "other"))};
}

std::vector<Name> bilinear(Emitter& e, const CallView& call) {
  const std::string batch = letters(call.rank("input1") - 1);
  const Name product = by_equation(e, {call.tensor("input1"), call.tensor("weight"), call.tensor("input2")},
                                   fmt::format("{0}x,yxz,{0}z->{0}y", batch));
  return {call.has("bias") ? e.add("Add", {product, call.tensor("bias")}) : product};
}

/// Rows of one expert after another, each times the matrix of its own: `offs` are the experts' ends.
std::vector<Name> grouped_product(Emitter& e, const CallView& call) {
  if (call.rank("self") != 2 || call.rank("mat2") != 3 || !call.has("offs"))
    call.refuse("groups of another kind");
  const Name rows = call.tensor("self"), one = e.integers({1});
  const Name row = e.add("Unsqueeze", {numbers_below(e, e.size_of(rows, 0)), one});
  const Name ended =
      e.add("GreaterOrEqual", {row, cast(e, call.tensor("offs"), call.type("offs"), at::kLong)});
  const Name expert =
      e.add("ReduceSum", {cast(e, ended, at::kBool, at::kLong), one}, {{"keepdims", int64_t{0}}});
  const Name matrices = e.add("Gather", {call.tensor("mat2"), expert}, {{"axis", int64_t{0}}});
  return {e.add("Squeeze", {e.add("MatMul", {e.add("Unsqueeze", {rows, one}), matrices}), one})};
}

std::vector<Name> einsum(Emitter& e, const CallView& call) {
  return {e.add("Einsum", call.tensors("tensors"), {{"equation", call.text("equation")}})};
}

}  // namespace

void add_products(Rules& rules) {
  rules["aten::linear"] = linear;
  rules["aten::matmul"] = product("self", "other");
  rules["aten::mv"] = product("self", "vec");
  rules["aten::mm"] = rules["aten::bmm"] = product("self", "mat2");
  rules["aten::addmm"] = added_product("mat1", "mat2");
  rules["aten::baddbmm"] = added_product("batch1", "batch2");
  rules["aten::addbmm"] = added_product("batch1", "batch2", true);
  rules["aten::inner"] = inner;
  rules["aten::_grouped_mm"] = grouped_product;
  rules["aten::tensordot"] = tensordot;
  rules["aten::bilinear"] = bilinear;
  rules["aten::scaled_dot_product_attention"] = attention;
  rules["aten::embedding"] = embedding;
  rules["aten::einsum"] = einsum;
}

}  // namespace inn::onnx
