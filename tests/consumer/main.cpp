#include <inn/quadrature/quadrature.h>

#include <cstdio>

int main() {
  const auto points = inn::quadrature_nodes(inn::find_quadrature("gauss-legendre"), 5);
  const double sum =
      inn::quadrature_weights(inn::find_quadrature("gauss-legendre"), points).sum().item<double>();
  std::printf("%.12f\n", sum);
  return sum > 1 - 1e-12 && sum < 1 + 1e-12 ? 0 : 1;
}
