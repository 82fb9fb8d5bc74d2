// Random and quasi-random points.
#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <cmath>

#include "inn/core/error.h"
#include "inn/quadrature/integrate.h"
#include "rules.h"

namespace inn {
namespace {

constexpr int64_t sobol_bits = 30;          // of torch's generator
constexpr int64_t most_dimensions = 21201;  // in Joe and Kuo's table

at::Tensor sobol(int64_t count, const at::Tensor& shift) {
  const int64_t dimensions = shift.size(0);
  auto state = at::zeros({dimensions, sobol_bits}, at::kLong);
  at::_sobol_engine_initialize_state_(state, dimensions);
  const auto first = shift.to(at::kDouble).unsqueeze(0) / static_cast<double>(int64_t{1} << sobol_bits);
  if (count == 1) return first;
  const auto rest =
      std::get<0>(at::_sobol_engine_draw(shift.clone(), count - 1, state, dimensions, 0, at::kDouble));
  return at::cat({first, rest});
}

void check_sobol(int64_t count, int64_t dimensions) {
  require(count >= 1 && count < int64_t{1} << sobol_bits, "quadrature",
          "Sobol points: their count must be in [1, 2^30) but got {}.", count);
  require(dimensions >= 1 && dimensions <= most_dimensions, "quadrature",
          "Sobol points: the count of dimensions must be in [1, {}] but got {}.", most_dimensions,
          dimensions);
}

}  // namespace

at::Tensor sobol_points(int64_t count, int64_t dimensions) {
  check_sobol(count, dimensions);
  return sobol(count, at::zeros({dimensions}, at::kLong));
}

at::Tensor sobol_points(int64_t count, int64_t dimensions, uint64_t seed) {
  check_sobol(count, dimensions);
  const auto generator = at::detail::createCPUGenerator(seed);
  return sobol(count,
               at::randint(int64_t{1} << sobol_bits, {dimensions}, generator, at::TensorOptions(at::kLong)));
}

namespace rules {

at::Tensor random_points(int64_t count, int64_t dimensions, uint64_t seed) {
  return at::rand({count, dimensions}, at::detail::createCPUGenerator(seed), at::TensorOptions(at::kDouble));
}

IntegralEstimate sample_mean(const at::Tensor&, const at::Tensor& values) {
  const int64_t count = values.size(0);
  require(count >= 2, "quadrature", "Monte-Carlo: the error cannot be estimated from {} sample.", count);
  return {values.mean(0), values.std(at::IntArrayRef{0}) / std::sqrt(static_cast<double>(count))};
}

}  // namespace rules
}  // namespace inn
