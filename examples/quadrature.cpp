// Integrals with error estimates: Bayesian quadrature, chosen nodes, kernel herding, random and quasi-random
// samples; and the rules in an integral model. The code of docs/quadrature.md.

#include <inn/model/integral_model.h>
#include <inn/quadrature/bayesian.h>
#include <inn/quadrature/integrate.h>
#include <inn/quadrature/node_choice.h>
#include <inn/zoo/zoo.h>

#include <ATen/ATen.h>
#include <cmath>
#include <cstdio>

namespace {

void print(const char* name, const inn::IntegralEstimate& estimate, double exact) {
  const double value = estimate.value.item<double>();
  std::printf("%-28s %.6f ± %.1e   off by %.1e\n", name, value, estimate.error.item<double>(),
              std::abs(value - exact));
}

}  // namespace

int main() {
  // The integral of exp(x) cos(3y) over the unit square.
  const auto f = [](const at::Tensor& p) { return at::exp(p.select(1, 0)) * at::cos(3 * p.select(1, 1)); };
  const double exact = (std::exp(1) - 1) * std::sin(3) / 3;

  for (const auto* rule : {"monte-carlo", "sobol", "halton"}) {
    const auto estimate =
        inn::integrate_with_error(f, {.lower = {0, 0}, .upper = {1, 1}, .counts = {64}, .rule = rule});
    print(rule, estimate, exact);
  }

  const inn::ProductKernel kernel("matern52", {0.5, 0.5});
  const auto candidates = inn::sobol_points(2048, 2);
  const auto chosen = inn::choose_bayesian_nodes(kernel, candidates, 32);
  const inn::BayesianQuadrature bayesian(kernel, chosen.nodes);
  print("bayesian, 32 chosen nodes", bayesian.estimate(f(chosen.nodes)), exact);

  const auto herded = inn::herd_nodes(kernel, candidates, 32);
  std::printf("%-28s %.6f\n", "herding, 32 nodes", f(herded.nodes).mean().item<double>());

  auto model = inn::convert(inn::make_zoo_network("lenet"), {.quadrature = "bayesian:matern32,0.3"});
  const auto rule = inn::find_quadrature(model->group("conv2").quadrature());
  model->set_grid("conv2", std::make_shared<inn::FixedGrid>(inn::quadrature_nodes(rule, 10)));
  std::printf("conv2 of LeNet at %ld nodes of quadrature %s\n",
              static_cast<long>(model->group("conv2").width()), rule.name.c_str());
}
