#include "inn/quadrature/node_choice.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <limits>

#include "inn/core/error.h"

namespace inn {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
// A candidate whose variance, given the nodes, is below this many jitters can't be told from them.
constexpr double least_residual = 4;

at::Tensor checked_candidates(const ProductKernel& kernel, const at::Tensor& candidates, int64_t count) {
  const auto points = kernel.checked_points(candidates, "Choice of nodes: candidates").detach();
  require(count >= 1 && count <= points.size(0), "quadrature",
          "Choice of nodes: their count must be in [1, {}] (the number of candidates) but is {}.",
          points.size(0), count);
  return points;
}

ChosenNodes chosen(const at::Tensor& points, const std::vector<int64_t>& indices,
                   const std::vector<double>& variances) {
  const auto places = at::tensor(indices, at::kLong);
  return {places, points.index_select(0, places), at::tensor(variances, at::kDouble)};
}

/// What is left of the variance of the integral after some nodes, kept up to date as nodes are added.
class Posterior {
 public:
  Posterior(const ProductKernel& kernel, at::Tensor points, int64_t count, const BayesianOptions& options)
      : kernel_(kernel),
        points_(std::move(points)),
        raised_(options.mean == BayesianOptions::Mean::constant ? 1 : 0),
        total_(kernel.double_mean() + raised_),
        mean_(kernel.mean(points_) + raised_),
        one_(at::full_like(mean_, raised_)),
        diagonal_(kernel.diagonal(points_)),
        rows_(at::empty({count, points_.size(0)}, points_.options())) {
    const double jitter = options.jitter * diagonal_.mean().item<double>();
    diagonal_ += raised_ + jitter;
    least_ = least_residual * jitter;
  }

  /// Returns the variance with each of the candidates added, [c]: infinite where one can't be.
  at::Tensor variances() const {
    auto left = total_ - explained_ - mean_.square() / diagonal_;
    if (raised_ > 0) {
      const auto missing = 1 - explained_one_ - mean_ * one_ / diagonal_;
      left += missing.square() / (ones_ + one_.square() / diagonal_);
    }
    return left.clamp_min_(0).masked_fill_(diagonal_ <= least_, infinity);
  }

  void add(int64_t index) {
    const auto before = rows_.narrow(0, 0, count_);
    auto row = kernel_.matrix(points_, points_.narrow(0, index, 1)).squeeze(1) + raised_;
    if (count_ > 0) row -= at::mv(before.t(), before.select(1, index));
    row /= diagonal_[index].sqrt();
    const double scale = 1 / std::sqrt(diagonal_[index].item<double>());
    const double mean = mean_[index].item<double>() * scale, one = one_[index].item<double>() * scale;
    explained_ += mean * mean;
    explained_one_ += mean * one;
    ones_ += one * one;
    mean_ -= mean * row;
    one_ -= one * row;
    diagonal_ -= row.square();
    diagonal_[index] = 0;
    rows_.select(0, count_++).copy_(row);
  }

 private:
  const ProductKernel& kernel_;
  at::Tensor points_;
  double raised_;  // as in BayesianQuadrature
  double total_;
  // Residuals of the kernel mean, of the constant and of the diagonal at the candidates, given the nodes.
  at::Tensor mean_, one_, diagonal_;
  at::Tensor rows_;  // of the Cholesky factor, transposed
  int64_t count_ = 0;
  double least_ = 0, explained_ = 0, explained_one_ = 0, ones_ = 0;
};

}  // namespace

ChosenNodes choose_bayesian_nodes(const ProductKernel& kernel, const at::Tensor& candidates, int64_t count,
                                  BayesianOptions options) {
  const at::NoGradGuard no_grad;
  require(options.jitter >= 0, "quadrature", "Choice of nodes: the jitter must be at least 0 but is {}.",
          options.jitter);
  const auto points = checked_candidates(kernel, candidates, count);
  Posterior posterior(kernel, points, count, options);
  std::vector<int64_t> indices;
  std::vector<double> variances;
  for (int64_t t = 0; t < count; ++t) {
    const auto left = posterior.variances();
    const int64_t best = left.argmin().item<int64_t>();
    const double variance = left[best].item<double>();
    require(
        variance < infinity, "quadrature",
        "Choice of nodes: kernel '{}' distinguishes only {} of {} candidates, but {} nodes were requested.",
        kernel.name(), t, points.size(0), count);
    posterior.add(best);
    indices.push_back(best);
    // More knowledge never raises it; what rounding does is no rise.
    variances.push_back(t == 0 ? variance : std::min(variance, variances.back()));
  }
  return chosen(points, indices, variances);
}

ChosenNodes herd_nodes(const ProductKernel& kernel, const at::Tensor& candidates, int64_t count) {
  const at::NoGradGuard no_grad;
  const auto points = checked_candidates(kernel, candidates, count);
  const auto mean = kernel.mean(points), diagonal = kernel.diagonal(points);
  auto near = at::zeros_like(mean);  // Σ_i k(x_i, x_j) over the nodes x_i
  auto allowed = at::zeros_like(mean);
  double within = 0, across = 0;  // ΣΣ k(x_i, x_j), Σ z_i
  std::vector<int64_t> indices;
  std::vector<double> variances;
  for (int64_t t = 1; t <= count; ++t) {
    const auto taken = static_cast<double>(t);
    const int64_t best = (taken * mean - near - diagonal / 2 + allowed).argmax().item<int64_t>();
    within += 2 * near[best].item<double>() + diagonal[best].item<double>();
    across += mean[best].item<double>();
    near += kernel.matrix(points, points.narrow(0, best, 1)).squeeze(1);
    allowed[best] = -infinity;
    indices.push_back(best);
    variances.push_back(std::max(0.0, kernel.double_mean() - 2 * across / taken + within / (taken * taken)));
  }
  return chosen(points, indices, variances);
}

}  // namespace inn
