// Normal equations against torch's own least-squares solver on the rows themselves.

#include "inn/refit/least_squares.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace inn {
namespace {

// Two solvers of one well-conditioned problem in float64.
constexpr double kSolverRounding = 1e-9;

struct Rows {
  at::Tensor x, y;  // [g, rows, F], [g, rows, O]
};

Rows random_rows(int64_t rows, uint64_t seed) {
  at::manual_seed(seed);
  const at::Tensor x = at::randn({2, rows, 5}, at::kDouble) + 0.7;
  const at::Tensor w = at::randn({2, 3, 5}, at::kDouble);
  return {x, at::bmm(x, w.transpose(1, 2)) + 0.3 * at::randn({2, rows, 3}, at::kDouble) + 2};
}

NormalEquations sums_of(const Rows& rows) {
  NormalEquations sums;
  sums.add(rows.x, rows.y);
  return sums;
}

/// The ridge problem written as plain least squares: rows √(ridge·d_j)·e_j with their targets from the prior below
/// those of the data, d_j the squares of feature j.
at::Tensor by_solver(const Rows& rows, const at::Tensor& prior, double ridge, bool with_bias) {
  std::vector<at::Tensor> weights;
  for (int64_t g = 0; g < rows.x.size(0); ++g) {
    at::Tensor x = rows.x[g], y = rows.y[g];
    if (with_bias) {
      x = x - x.mean(0, true);
      y = y - y.mean(0, true);
    }
    const at::Tensor below = at::diag((ridge * x.square().sum(0)).sqrt());
    const at::Tensor a = at::cat({x, below}), b = at::cat({y, at::mm(below, prior[g].t())});
    weights.push_back(std::get<0>(at::linalg_lstsq(a, b)).t());
  }
  return at::stack(weights);
}

void expect_close(const at::Tensor& a, const at::Tensor& b, double tolerance) {
  EXPECT_LE((a - b).abs().max().item<double>(), tolerance * (1 + b.abs().max().item<double>()));
}

TEST(NormalEquations, SolveWhatASolverOfTheRowsSolves) {
  const Rows rows = random_rows(40, 1);
  const at::Tensor prior = at::randn({2, 3, 5}, at::kDouble);
  for (const bool with_bias : {false, true})
    for (const double ridge : {1e-9, 1e-2, 10.0})
      expect_close(sums_of(rows).solve(prior, ridge, with_bias).weight,
                   by_solver(rows, prior, ridge, with_bias), kSolverRounding);
}

TEST(NormalEquations, TheBiasMakesTheMeanRight) {
  const Rows rows = random_rows(40, 2);
  const auto fit = sums_of(rows).solve(at::zeros({2, 3, 5}), 1e-3, true);
  const at::Tensor left = rows.y - at::bmm(rows.x, fit.weight.transpose(1, 2)) - fit.bias.unsqueeze(1);
  EXPECT_LE(left.mean(1).abs().max().item<double>(), kSolverRounding);
}

TEST(NormalEquations, ErrorAndVariationAreThoseOfTheRows) {
  const Rows rows = random_rows(30, 3);
  const at::Tensor w = at::randn({2, 3, 5}, at::kDouble), b = at::randn({2, 3}, at::kDouble);
  const auto sums = sums_of(rows);
  const at::Tensor plain = rows.y - at::bmm(rows.x, w.transpose(1, 2));
  expect_close(sums.error(w, {}), plain.square().sum({1, 2}), kSolverRounding);
  expect_close(sums.error(w, b), (plain - b.unsqueeze(1)).square().sum({1, 2}), kSolverRounding);
  expect_close(sums.variation(true), (rows.y - rows.y.mean(1, true)).square().sum({1, 2}), kSolverRounding);
  expect_close(sums.variation(false), rows.y.square().sum({1, 2}), kSolverRounding);
}

TEST(NormalEquations, DoNotDependOnHowRowsAreDivided) {
  const Rows rows = random_rows(50, 4);
  NormalEquations divided, other;
  divided.add(rows.x.narrow(1, 0, 7), rows.y.narrow(1, 0, 7));
  other.add(rows.x.narrow(1, 7, 43), rows.y.narrow(1, 7, 43));
  divided.add(other);
  EXPECT_EQ(divided.rows(), 50);
  const at::Tensor prior = at::zeros({2, 3, 5});
  expect_close(divided.solve(prior, 1e-4, true).weight, sums_of(rows).solve(prior, 1e-4, true).weight,
               kSolverRounding);
}

TEST(NormalEquations, FewerRowsThanFeaturesStayAtThePriorWhereNothingIsKnown) {
  const Rows rows = random_rows(2, 5);
  const at::Tensor prior = at::randn({2, 3, 5}, at::kDouble);
  const auto fit = sums_of(rows).solve(prior, 1e-6, false);
  EXPECT_TRUE(at::isfinite(fit.weight).all().item<bool>());
  // A direction that no row has, each feature in its own scale: the weights along it are the prior's.
  const at::Tensor scale = rows.x[0].square().sum(0).sqrt();
  const at::Tensor unseen = std::get<2>(at::linalg_svd(rows.x[0] / scale, true)).select(0, 4);
  expect_close(at::mv(fit.weight[0] * scale, unseen), at::mv(prior[0] * scale, unseen), 1e-5);
}

TEST(NormalEquations, DoNotDependOnTheScalesOfFeatures) {
  const Rows rows = random_rows(12, 12);
  const at::Tensor prior = at::randn({2, 3, 5}, at::kDouble),
                   scale = at::tensor({1e-3, 0.1, 1., 20., 1e4}, at::kDouble);
  Rows scaled = rows;
  scaled.x = rows.x * scale;
  for (const bool with_bias : {false, true})
    expect_close(sums_of(scaled).solve(prior / scale, 0.3, with_bias).weight * scale,
                 sums_of(rows).solve(prior, 0.3, with_bias).weight, 1e-7);
}

TEST(NormalEquations, OfConstantFeaturesLeaveThePriorAndFitTheBias) {
  const Rows rows = random_rows(1, 11);
  // float32, whose rounding is all that varies.
  const at::Tensor x = (rows.x.expand({2, 300, 5}) / 3).to(at::kFloat), y = rows.y.expand({2, 300, 3});
  NormalEquations sums;
  sums.add(x * (1 + 1e-7 * at::randn({2, 300, 5})), y);
  const at::Tensor prior = at::randn({2, 3, 5}, at::kDouble);
  const auto fit = sums.solve(prior, 1e-6, true);
  const at::Tensor size = x.to(at::kDouble).narrow(1, 0, 1);  // of each feature
  expect_close(fit.weight * size, prior * size, 1e-2);
  EXPECT_LT(sums.error(fit.weight, fit.bias).max().item<double>(), 1e-6);
}

TEST(NormalEquations, RefuseWhatIsNotFinite) {
  Rows rows = random_rows(20, 6);
  rows.x[0][3][1] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(sums_of(rows).solve(at::zeros({2, 3, 5}), 1e-3, true), std::invalid_argument);
  NormalEquations sums = sums_of(random_rows(20, 6));
  EXPECT_THROW(sums.add(at::zeros({2, 4, 6}), at::zeros({2, 4, 3})), std::invalid_argument);
  EXPECT_THROW(NormalEquations().solve(at::zeros({2, 3, 5}), 1e-3, true), std::invalid_argument);
}

TEST(RidgeChoice, IsTheBestOnTheRowsHeldOut) {
  const Rows fit = random_rows(12, 7), held = random_rows(400, 7);
  const std::vector<double> ridges{1e-6, 1e-3, 1e-2, 1e-1, 1, 10};
  const at::Tensor prior = at::zeros({2, 3, 5});
  const auto choice = choose_ridge(sums_of(fit), sums_of(held), {prior}, {}, true, ridges);
  const auto held_error = [&](double ridge) {
    const auto tried = sums_of(fit).solve(prior, ridge, true);
    const auto left = held.y - at::bmm(held.x, tried.weight.transpose(1, 2)) - tried.bias.unsqueeze(1);
    return left.square().sum().item<double>();
  };
  for (const double ridge : ridges) EXPECT_LE(held_error(choice.ridge), held_error(ridge) * (1 + 1e-9));
  EXPECT_LT(choice.error_after, choice.error_before);
}

TEST(RidgeChoice, TakesThePriorThatIsBetter) {
  const Rows fit = random_rows(8, 7), held = random_rows(400, 7);
  const at::Tensor truth = sums_of(random_rows(4000, 7)).solve(at::zeros({2, 3, 5}), 0, true).weight;
  const at::Tensor wrong = truth + 3;
  const auto choice = choose_ridge(sums_of(fit), sums_of(held), {wrong, truth}, {}, true, {1, 10, 100});
  EXPECT_EQ(choice.prior, 1U);
  EXPECT_LT(choice.held_out_after, choice.held_out_before);
  EXPECT_EQ(choose_ridge(sums_of(fit), sums_of(held), {truth, wrong}, {}, true, {1, 10, 100}).prior, 0U);
}

TEST(RidgeChoice, KeepsAPriorThatNoFitBetters) {
  Rows noise = random_rows(6, 8), exact = random_rows(400, 9);
  const at::Tensor prior = at::randn({2, 3, 5}, at::kDouble);
  exact.y = at::bmm(exact.x, prior.transpose(1, 2));
  const auto choice = choose_ridge(sums_of(noise), sums_of(exact), {prior}, {}, false, {1e-6, 1e-3});
  EXPECT_TRUE(std::isinf(choice.ridge));
  EXPECT_TRUE(at::equal(choice.fit.weight, prior));
}

}  // namespace
}  // namespace inn
