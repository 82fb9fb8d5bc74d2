// Matrix products.

#include "operators.h"

namespace inn::onnx::reading {
namespace {

const auto kTransposed = [](const at::Tensor& matrix) { return matrix.t(); };

bool is_matrix(NodeView& node, size_t input) {
  const auto* known = node.constant(input);
  return known != nullptr && known->dim() == 2 && known->is_floating_point();
}

/// x · B: a linear layer where B is a weight of linear layers alone, and torch's order is its transpose.
Tensors matmul(NodeView& node) {
  const auto x = node.tensor(0);
  if (is_matrix(node, 1) && x.dim() >= 2 && node.constant(0) == nullptr && node.is_weight_of_products(1))
    return {at::linear(x, node.derived(1, ".T", kTransposed))};
  return {at::matmul(x, node.tensor(1))};
}

Tensors gemm(NodeView& node) {
  const auto x = node.tensor(0);
  const double alpha = node.real("alpha", 1), beta = node.real("beta", 1);
  const bool transposes_x = node.attribute("transA", 0) != 0, transposes_b = node.attribute("transB", 0) != 0;
  const auto* bias = node.constant(2);
  const bool is_layer = !transposes_x && alpha == 1 && beta == 1 && is_matrix(node, 1) &&
                        node.constant(0) == nullptr &&
                        (!node.has(2) || (bias != nullptr && bias->dim() == 1)) &&
                        (transposes_b || node.is_weight_of_products(1));
  if (is_layer) {
    auto added = node.optional_tensor(2);
    const auto outputs = node.constant(1)->size(transposes_b ? 0 : 1);
    if (added.defined() && added.size(0) != outputs) added = at::expand_copy(added, {outputs});
    return {at::linear(x, transposes_b ? node.tensor(1) : node.derived(1, ".T", kTransposed), added)};
  }
  const auto b = node.tensor(1);
  const auto left = transposes_x ? at::t(x) : x, right = transposes_b ? at::t(b) : b;
  if (node.has(2)) return {at::addmm(node.tensor(2), left, right, beta, alpha)};
  const auto product = at::mm(left, right);
  return {alpha == 1 ? product : at::mul(product, alpha)};
}

}  // namespace

void add_products(Operators& operators) {
  operators["MatMul"] = matmul;
  operators["Gemm"] = gemm;
  operators["Einsum"] = [](NodeView& node) -> Tensors {
    return {at::einsum(node.text("equation", ""), node.tensors())};
  };
}

}  // namespace inn::onnx::reading
