// The integral of sin(10 x) over [0, π] by the trapezoid rule on 100 points, and by other rules.

#include <inn/quadrature/integrate.h>

#include <ATen/ATen.h>
#include <cmath>
#include <cstdio>
#include <numbers>

int main() {
  const auto f = [](const at::Tensor& x) { return at::sin(10 * x.select(1, 0)); };
  const double exact = (1 - std::cos(10 * std::numbers::pi)) / 10;  // 0: ten half waves cancel
  for (const auto* rule : {"trapezoid", "simpson", "gauss-legendre", "sobol"}) {
    const auto value =
        inn::integrate(f, {.lower = {0}, .upper = {std::numbers::pi}, .counts = {100}, .rule = rule})
            .item<double>();
    std::printf("%-15s %12.3e   error %8.1e\n", rule, value, std::abs(value - exact));
  }
}
