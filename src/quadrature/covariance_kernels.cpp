// The entries of the table of covariance kernels.
#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

#include "inn/core/named_table.h"
#include "inn/quadrature/covariance_kernel.h"

namespace inn {
namespace {

using std::numbers::pi;
using std::numbers::sqrt2;

at::Tensor rbf_value(const at::Tensor& x, const at::Tensor& y, double length) {
  return at::exp((x - y).square() / (-2 * length * length));
}

at::Tensor rbf_mean(const at::Tensor& x, double length) {
  const double scale = 1 / (sqrt2 * length);
  return length * std::sqrt(pi / 2) * (at::erf(x * scale) + at::erf((1 - x) * scale));
}

double rbf_double_mean(double length) {
  const double scale = 1 / (sqrt2 * length);
  return length * std::sqrt(2 * pi) * std::erf(scale) + 2 * length * length * std::expm1(-scale * scale);
}

// A Matérn kernel is k(r) = p(sr) exp(−sr) with a polynomial p. Its integral from 0 to t is
// (a(1 − e^{−u}) − q(u) e^{−u})/s with u = st, q(0) = 0; the mean is that at x plus that at 1 − x.

at::Tensor matern12_value(const at::Tensor& x, const at::Tensor& y, double length) {
  return at::exp((x - y).abs() / -length);
}

at::Tensor matern12_mean(const at::Tensor& x, double length) {
  const auto integral = [&](const at::Tensor& t) { return -length * at::expm1(t / -length); };
  return integral(x) + integral(1 - x);
}

double matern12_double_mean(double length) {
  const double s = 1 / length;
  return 2 / s * (1 + std::expm1(-s) / s);
}

at::Tensor matern32_value(const at::Tensor& x, const at::Tensor& y, double length) {
  const auto u = (x - y).abs() * (std::sqrt(3.0) / length);
  return (1 + u) * at::exp(-u);
}

at::Tensor matern32_mean(const at::Tensor& x, double length) {
  const double s = std::sqrt(3.0) / length;
  const auto integral = [&](const at::Tensor& t) {
    const auto u = s * t;
    return (-2 * at::expm1(-u) - u * at::exp(-u)) / s;
  };
  return integral(x) + integral(1 - x);
}

double matern32_double_mean(double length) {
  const double s = std::sqrt(3.0) / length;
  return 2 / s * (2 + (3 * std::expm1(-s) + s * std::exp(-s)) / s);
}

at::Tensor matern52_value(const at::Tensor& x, const at::Tensor& y, double length) {
  const auto u = (x - y).abs() * (std::sqrt(5.0) / length);
  return (1 + u + u.square() / 3) * at::exp(-u);
}

at::Tensor matern52_mean(const at::Tensor& x, double length) {
  const double s = std::sqrt(5.0) / length;
  const auto integral = [&](const at::Tensor& t) {
    const auto u = s * t;
    return (-8 * at::expm1(-u) - u * (5 + u) * at::exp(-u)) / (3 * s);
  };
  return integral(x) + integral(1 - x);
}

double matern52_double_mean(double length) {
  const double s = std::sqrt(5.0) / length;
  return 2 / (3 * s) * (8 + (15 * std::expm1(-s) + s * (7 + s) * std::exp(-s)) / s);
}

at::Tensor brownian_value(const at::Tensor& x, const at::Tensor& y, double length) {
  return at::minimum(x, y) / length;
}

at::Tensor brownian_mean(const at::Tensor& x, double length) { return x * (1 - x / 2) / length; }

double brownian_double_mean(double length) { return 1 / (3 * length); }

}  // namespace

std::span<const CovarianceKernel> covariance_kernels() {
  static const std::vector<CovarianceKernel> table = {
      {"rbf", "analytic functions", rbf_value, rbf_mean, rbf_double_mean},
      {"matern12", "continuous functions", matern12_value, matern12_mean, matern12_double_mean},
      {"matern32", "once differentiable functions", matern32_value, matern32_mean, matern32_double_mean},
      {"matern52", "twice differentiable functions", matern52_value, matern52_mean, matern52_double_mean},
      {"brownian", "Brownian motion, starting at 0", brownian_value, brownian_mean, brownian_double_mean},
  };
  return table;
}

std::vector<std::string> covariance_kernel_names() { return names_of(covariance_kernels()); }

const CovarianceKernel& find_covariance_kernel(std::string_view name) {
  return find_named(covariance_kernels(), name, "quadrature", "Covariance kernel '{}': no such kernel.{}");
}

}  // namespace inn
