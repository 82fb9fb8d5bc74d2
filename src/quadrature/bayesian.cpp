#include "inn/quadrature/bayesian.h"

#include <ATen/ATen.h>

#include <limits>

#include "inn/core/error.h"

namespace inn {
namespace {

using Mean = BayesianOptions::Mean;

constexpr int64_t most_nodes = 16384;  // a kernel matrix of 2 GiB

void check_distinct(const at::Tensor& nodes) {
  const int64_t n = nodes.size(0);
  if (n == 1) return;
  auto apart = at::zeros({n, n}, nodes.options());
  for (const auto& coordinate : nodes.detach().unbind(1))
    apart = at::maximum(apart, (coordinate.unsqueeze(1) - coordinate.unsqueeze(0)).abs());
  apart.fill_diagonal_(std::numeric_limits<double>::infinity());
  const int64_t nearest = apart.argmin().item<int64_t>();
  require(
      apart.flatten()[nearest].item<double>() > 0, "quadrature",
      "Bayesian quadrature: nodes must be distinct but nodes {} and {} coincide: the kernel matrix is not "
      "positive definite.",
      nearest / n, nearest % n);
}

/// Returns the lower Cholesky factor of the kernel matrix, `noise` being added to its diagonal.
at::Tensor factored(const ProductKernel& kernel, const at::Tensor& matrix, double noise) {
  const auto [factor, failed] =
      at::linalg_cholesky_ex(matrix + noise * at::eye(matrix.size(0), matrix.options()));
  const int64_t pivot = failed.item<int64_t>();
  require(pivot == 0, "quadrature",
          "Bayesian quadrature: the matrix of kernel '{}' at {} nodes is not positive definite at node {}: "
          "nodes are too close for its length scales and a jitter of {}.",
          kernel.name(), matrix.size(0), pivot - 1, noise);
  return factor;
}

at::Tensor solved(const at::Tensor& factor, const at::Tensor& right) {
  return at::linalg_solve_triangular(factor, right, false);
}

}  // namespace

BayesianQuadrature::BayesianQuadrature(const ProductKernel& kernel, const at::Tensor& nodes,
                                       BayesianOptions options)
    : options_(options), nodes_(kernel.checked_points(nodes, "Bayesian quadrature: nodes")) {
  const int64_t n = nodes_.size(0);
  require(n <= most_nodes, "quadrature", "Bayesian quadrature: there must be at most {} nodes but got {}.",
          most_nodes, n);
  require(options.jitter >= 0, "quadrature", "Bayesian quadrature: the jitter must be at least 0 but is {}.",
          options.jitter);
  check_distinct(nodes_);
  // With an unknown constant nothing changes where the kernel is one higher, and then a kernel that is 0 at a
  // node, as Brownian motion's is at 0, has its matrix positive definite.
  const double raised = options.mean == Mean::constant ? 1 : 0;
  const double noise = options.jitter * kernel.diagonal(nodes_).mean().item<double>();
  factor_ = factored(kernel, kernel.matrix(nodes_, nodes_) + raised, noise);
  const auto mean = (kernel.mean(nodes_) + raised).unsqueeze(1);
  const auto half_mean = solved(factor_, mean);
  auto half_weights = half_mean;
  variance_ = kernel.double_mean() + raised - half_mean.square().sum();
  if (options.mean == Mean::constant) {
    const auto half_one = solved(factor_, at::ones_like(mean));
    const auto missing = 1 - (half_one * half_mean).sum(), ones = half_one.square().sum();
    half_weights = half_mean + half_one * (missing / ones);
    variance_ = variance_ + missing.square() / ones;
  }
  weights_ = at::linalg_solve_triangular(factor_.mT(), half_weights, true).squeeze(1);
  variance_ = variance_.clamp_min(0);  // rounding may leave −1e-16 of what is 0
}

at::Tensor BayesianQuadrature::checked_values(const at::Tensor& values) const {
  require(
      values.defined() && values.dim() >= 1 && values.size(0) == nodes_.size(0) && values.is_floating_point(),
      "quadrature", "Bayesian quadrature: one floating point value for each of {} nodes is required.",
      nodes_.size(0));
  return values.reshape({values.size(0), -1});
}

at::Tensor BayesianQuadrature::mean(const at::Tensor& values) const {
  const auto columns = checked_values(values);
  return at::matmul(weights_.to(values.options()), columns).reshape(values.sizes().slice(1));
}

IntegralEstimate BayesianQuadrature::estimate(const at::Tensor& values) const {
  const bool constant = options_.mean == Mean::constant;
  const int64_t freedom = nodes_.size(0) - (constant ? 1 : 0);
  require(freedom >= 1, "quadrature",
          "Bayesian quadrature: with an unknown mean, the error cannot be estimated from a single node.");
  const auto columns = checked_values(values).to(factor_.options());
  auto half = solved(factor_, columns);
  if (constant) {
    const auto half_one = solved(factor_, at::ones({nodes_.size(0), 1}, factor_.options()));
    half = half - half_one * ((half_one * half).sum(0) / half_one.square().sum());
  }
  const auto scale = half.square().sum(0) / static_cast<double>(freedom);
  return {mean(values), (scale * variance_).sqrt().to(values.options()).reshape(values.sizes().slice(1))};
}

}  // namespace inn
