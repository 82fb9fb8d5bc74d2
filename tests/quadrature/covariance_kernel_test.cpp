#include "inn/quadrature/covariance_kernel.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "finite_difference.h"
#include "inn/grid/gauss_legendre.h"
#include "inn/grid/tensor_grid.h"

namespace inn {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// Closed forms lose as many digits as the length scale has: terms of the order of ℓ cancel.
constexpr double closed_form_tolerance = 1e-13;
constexpr double length_scales_tried[] = {0.05, 0.2, 0.7, 3};

/// Gauss-Legendre with 40 nodes on each of 12 parts of [from, to]: exact to rounding for what is analytic
/// there.
NodesAndWeights dense_rule(double from, double to) {
  const auto [nodes, weights] = gauss_legendre(40);
  const auto starts = at::arange(12, at::kDouble).unsqueeze(1);
  const double part = (to - from) / 12;
  return {(from + part * (starts + nodes)).flatten(), (part * weights).repeat({12})};
}

/// ∫ k(x, y) dy, the kernel cut where it has its kink.
double dense_mean(const CovarianceKernel& kernel, double x, double length) {
  double sum = 0;
  const auto point = at::tensor({x}, at::kDouble);
  for (const auto& [nodes, weights] : {dense_rule(0, x), dense_rule(x, 1)})
    sum += (weights * kernel.value(point, nodes, length)).sum().item<double>();
  return sum;
}

class Kernel : public ::testing::TestWithParam<std::string> {
 protected:
  const CovarianceKernel& kernel = find_covariance_kernel(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Table, Kernel, ::testing::ValuesIn(covariance_kernel_names()),
                         [](const auto& info) { return info.param; });

TEST_P(Kernel, HasTheMeansThatDenseIntegrationFinds) {
  for (const double length : length_scales_tried) {
    SCOPED_TRACE(fmt::format("length scale {}", length));
    for (const double x : {0.0, 0.013, 0.25, 0.5, 0.81, 1.0})
      EXPECT_NEAR(kernel.mean(at::tensor({x}, at::kDouble), length).item<double>(),
                  dense_mean(kernel, x, length), closed_form_tolerance)
          << x;
    const auto [nodes, weights] = dense_rule(0, 1);
    double twice = 0;
    for (int64_t i = 0; i < nodes.size(0); ++i)
      twice += weights[i].item<double>() * dense_mean(kernel, nodes[i].item<double>(), length);
    EXPECT_NEAR(kernel.double_mean(length), twice, closed_form_tolerance * std::max(1.0, length));
  }
}

TEST_P(Kernel, IsSymmetricAndPositiveDefinite) {
  const auto points = at::linspace(0.02, 1, 12, at::kDouble);
  for (const double length : length_scales_tried) {
    const auto matrix = kernel.value(points.unsqueeze(1), points, length);
    EXPECT_TRUE(at::equal(matrix, matrix.t()));
    // Rounding of a matrix of entries of order 1.
    EXPECT_GT(at::linalg_eigvalsh(matrix).min().item<double>(), -1e-13);
  }
}

TEST_P(Kernel, GradientsMatchFiniteDifferences) {
  const auto of_points = [&](const std::vector<at::Tensor>& in) {
    return at::cat({kernel.value(in[0].unsqueeze(1), in[1], 0.3).flatten(), kernel.mean(in[0], 0.3)});
  };
  test::expect_gradients(of_points, {at::tensor({0.1, 0.45, 0.8}, at::kDouble),
                                     at::tensor({0.05, 0.3, 0.9, 0.99}, at::kDouble)});
}

TEST(ProductKernel, IsTheProductOverItsAxesAndSoAreItsMeans) {
  const ProductKernel kernel("rbf", {0.3, 0.8});
  const auto x = at::tensor({0.1, 0.2, 0.9, 0.4, 0.5, 1.0}, at::kDouble).view({3, 2});
  const auto expected =
      at::exp(-(x.unsqueeze(1) - x).square().div(at::tensor({0.18, 1.28}, at::kDouble)).sum(2));
  EXPECT_LE((kernel.matrix(x, x) - expected).abs().max().item<double>(), closed_form_tolerance);
  EXPECT_LE((kernel.diagonal(x) - 1).abs().max().item<double>(), closed_form_tolerance);
  const auto [nodes, weights] = gauss_legendre(40);
  const auto square = tensor_product({nodes, nodes}), square_weights = at::outer(weights, weights).flatten();
  const auto mean = at::mv(kernel.matrix(x, square), square_weights);
  EXPECT_LE((kernel.mean(x) - mean).abs().max().item<double>(), closed_form_tolerance);
  EXPECT_NEAR((square_weights * kernel.mean(square)).sum().item<double>(), kernel.double_mean(),
              closed_form_tolerance);
  EXPECT_EQ(ProductKernel("brownian", {1, 1, 1}).double_mean(), 1.0 / 27);
}

TEST(ProductKernel, RefusesWhatItIsNotDefinedFor) {
  const auto text = [](const char* part) { return ThrowsMessage<std::invalid_argument>(HasSubstr(part)); };
  const auto made = [](const char* name, const std::vector<double>& lengths) {
    return [=] { ProductKernel(name, lengths); };
  };
  EXPECT_THAT(made("rbf", {}),
              text("[quadrature] Covariance kernel 'rbf': one length scale per axis is required"));
  EXPECT_THAT(made("rbf", {1, 0}), text("length scales must be positive and finite but one is 0."));
  EXPECT_THAT(made("rbf", {-2}), text("but one is -2."));
  EXPECT_THAT(made("rbf", {std::nan("")}), text("but one is nan."));
  EXPECT_THAT(made("matern3", {1}), text("no such kernel. Did you mean 'matern"));
}

}  // namespace
}  // namespace inn
