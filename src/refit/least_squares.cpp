#include "inn/refit/least_squares.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "inn/calibration/moments.h"
#include "inn/core/error.h"
#include "inn/core/ranks.h"

namespace inn {
namespace {

// The least ridge that is tried: below it float64 sees a singular matrix in any case.
constexpr double kLeastRidge = 1e-12;
constexpr double kGreatestRidge = 1e3;
// Features that vary less than by this part of their second moment count as if they varied so much: what is
// left of constant ones is rounding.
constexpr double kConstantVariation = 1e-4;

void add_to(at::Tensor& sum, const at::Tensor& term) {
  if (sum.defined()) {
    sum.add_(term);
  } else {
    sum = term.clone();
  }
}

at::Tensor product(const at::Tensor& a, const at::Tensor& b) { return a.unsqueeze(-1) * b.unsqueeze(-2); }

}  // namespace

void NormalEquations::add(const at::Tensor& x, const at::Tensor& y) {
  require(x.dim() == 3 && y.dim() == 3 && x.size(0) == y.size(0) && x.size(1) == y.size(1), "refit",
          "Least squares: features [g, rows, F] and targets [g, rows, O] must have the same g and rows.");
  require(
      !xx_.defined() || (xx_.size(0) == x.size(0) && xx_.size(1) == x.size(2) && xy_.size(2) == y.size(2)),
      "refit", "Least squares: the sizes of rows must not change between calls.");
  const at::Tensor a = x.to(at::kCPU, at::kDouble), b = y.to(at::kCPU, at::kDouble);
  if (!xx_.defined()) xx_ = at::zeros({a.size(0), a.size(2), a.size(2)}, a.options());
  add_gram(xx_, a.transpose(1, 2));
  add_to(xy_, at::bmm(a.transpose(1, 2), b));
  add_to(x_, a.sum(1));
  add_to(y_, b.sum(1));
  add_to(yy_, b.square().sum({1, 2}));
  rows_ += a.size(1);
}

void NormalEquations::add(const NormalEquations& other) {
  if (other.rows_ == 0) return;
  add_to(xx_, other.xx_);
  add_to(xy_, other.xy_);
  add_to(x_, other.x_);
  add_to(y_, other.y_);
  add_to(yy_, other.yy_);
  rows_ += other.rows_;
}

void NormalEquations::sum_over_ranks() {
  for (auto* sum : {&xx_, &xy_, &x_, &y_, &yy_}) inn::sum_over_ranks(*sum);
  inn::sum_over_ranks(rows_);
}

at::Tensor NormalEquations::error(const at::Tensor& weight, const at::Tensor& bias) const {
  const at::Tensor w = weight.to(at::kDouble);
  at::Tensor sum = yy_ + (at::bmm(w, xx_) * w).sum({1, 2}) - 2 * (w * xy_.transpose(1, 2)).sum({1, 2});
  if (bias.defined()) {
    const at::Tensor b = bias.to(at::kDouble);
    const at::Tensor of_x = at::bmm(w, x_.unsqueeze(-1)).squeeze(-1);
    sum = sum + (b * (2 * of_x - 2 * y_ + static_cast<double>(rows_) * b)).sum(1);
  }
  return sum.clamp_min(0);
}

at::Tensor NormalEquations::variation(bool with_bias) const {
  if (!with_bias) return yy_;
  return (yy_ - y_.square().sum(1) / static_cast<double>(rows_)).clamp_min(0);
}

NormalEquations::System NormalEquations::system(const at::Tensor& prior, bool with_bias) const {
  require(rows_ > 0, "refit", "Least squares: at least one row is required.");
  const auto n = static_cast<double>(rows_);
  System system{*this, prior.to(at::kDouble), {}, {}, {}, with_bias};
  system.left = xx_;
  at::Tensor c = xy_;
  if (with_bias) {
    system.left = system.left - product(x_, x_) / n;
    c = c - product(x_, y_) / n;
  }
  require(at::isfinite(system.left).all().item<bool>() && at::isfinite(c).all().item<bool>(), "refit",
          "Least squares: the activations must be finite.");
  const at::Tensor least = kConstantVariation * xx_.diagonal(0, 1, 2);
  system.diagonal =
      at::maximum(system.left.diagonal(0, 1, 2), least).clamp_min(std::numeric_limits<double>::min());
  system.right = c - at::bmm(system.left, system.prior.transpose(1, 2));
  return system;
}

NormalEquations::Fit NormalEquations::System::solve(double ridge) const {
  at::Tensor delta;
  for (double strength = std::max(ridge, kLeastRidge); strength <= kGreatestRidge; strength *= 10) {
    at::Tensor shifted = left.clone();
    shifted.diagonal(0, 1, 2).add_(diagonal * strength);
    const auto [factor, info] = at::linalg_cholesky_ex(shifted);
    if (info.any().item<bool>()) continue;
    delta = at::cholesky_solve(right, factor);
    if (at::isfinite(delta).all().item<bool>()) break;
  }
  require(delta.defined(), "refit",
          "Least squares: the normal equations are singular for every ridge parameter.");
  Fit fit{prior + delta.transpose(1, 2), {}};
  if (with_bias)
    fit.bias =
        (sums.y_ - at::bmm(fit.weight, sums.x_.unsqueeze(-1)).squeeze(-1)) / static_cast<double>(sums.rows_);
  return fit;
}

NormalEquations::Fit NormalEquations::solve(const at::Tensor& prior, double ridge, bool with_bias) const {
  return system(prior, with_bias).solve(ridge);
}

RidgeChoice choose_ridge(const NormalEquations& fit, const NormalEquations& held_out,
                         const std::vector<at::Tensor>& priors, const at::Tensor& prior_bias, bool with_bias,
                         const std::vector<double>& ridges) {
  NormalEquations all;
  all.add(fit);
  all.add(held_out);
  const at::Tensor w0 = priors.at(0).to(at::kDouble);
  at::Tensor b0;
  if (with_bias) b0 = prior_bias.defined() ? prior_bias.to(at::kDouble) : at::zeros_like(w0.select(2, 0));
  const auto error_of = [](const NormalEquations& sums, const at::Tensor& weight, const at::Tensor& bias,
                           bool biased) {
    const double whole = sums.variation(biased).sum().item<double>();
    return sums.error(weight, bias).sum().item<double>() /
           std::max(whole, std::numeric_limits<double>::min());
  };
  RidgeChoice choice{std::numeric_limits<double>::infinity(), 0, {w0, b0}, 0, 0, 0, 0};
  choice.error_before = error_of(all, w0, b0, with_bias);
  if (held_out.rows() > 0 && fit.rows() > 0) {
    choice.held_out_before = choice.held_out_after = error_of(held_out, w0, b0, with_bias);
    std::vector<double> descending = ridges;
    std::sort(descending.begin(), descending.end(), std::greater<>());
    for (size_t p = 0; p < priors.size(); ++p) {
      // From the strongest on, while the error falls.
      const auto system = fit.system(priors[p], with_bias);
      double last = std::numeric_limits<double>::infinity();
      for (const double ridge : descending) {
        const auto tried = system.solve(ridge);
        const double error = error_of(held_out, tried.weight, tried.bias, with_bias);
        if (error < choice.held_out_after) {
          choice.held_out_after = error;
          choice.ridge = ridge;
          choice.prior = p;
        }
        if (error > last) break;
        last = error;
      }
    }
  } else if (!ridges.empty()) {
    choice.ridge = *std::max_element(ridges.begin(), ridges.end());
  }
  if (!std::isinf(choice.ridge)) choice.fit = all.solve(priors[choice.prior], choice.ridge, with_bias);
  choice.error_after = error_of(all, choice.fit.weight, choice.fit.bias, with_bias);
  return choice;
}

}  // namespace inn
