#include <inn/data/image.h>
#include <inn/quadrature/quadrature.h>

#include <cstdio>

/// The libraries that images are decoded with are linked too.
bool names_a_missing_image() {
  try {
    inn::read_image("missing.png");
  } catch (const std::runtime_error& error) {
    return std::string(error.what()).find("missing.png") != std::string::npos;
  }
  return false;
}

int main() {
  const auto points = inn::quadrature_nodes(inn::find_quadrature("gauss-legendre"), 5);
  const double sum =
      inn::quadrature_weights(inn::find_quadrature("gauss-legendre"), points).sum().item<double>();
  std::printf("%.12f\n", sum);
  return sum > 1 - 1e-12 && sum < 1 + 1e-12 && names_a_missing_image() ? 0 : 1;
}
