// The rules of the table that stand on a covariance kernel.
#include <ATen/ATen.h>

#include <charconv>

#include "inn/core/error.h"
#include "inn/quadrature/bayesian.h"
#include "inn/quadrature/integrate.h"
#include "inn/quadrature/node_choice.h"
#include "rules.h"

namespace inn::rules {
namespace {

constexpr double usual_length = 0.5;
// Herding chooses from this many evenly spread points for each node, and from this many at least: what it
// then loses against a choice from all of [0,1]^d is below what one node more gains.
constexpr int64_t candidates_per_node = 8;
constexpr int64_t fewest_candidates = 1024;

struct KernelChoice {
  std::string kernel;
  double length;

  ProductKernel on(int64_t dimensions) const {
    return ProductKernel(kernel, std::vector<double>(static_cast<size_t>(dimensions), length));
  }
};

/// Reads "KERNEL" or "KERNEL,LENGTH".
KernelChoice parse_choice(std::string_view rule, std::string_view text) {
  const size_t comma = text.find(',');
  KernelChoice choice{std::string(text.substr(0, comma)), usual_length};
  if (comma != text.npos) {
    const auto number = text.substr(comma + 1);
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), choice.length);
    require(error == std::errc() && end == number.data() + number.size(), "quadrature",
            "Quadrature '{}:{}': '{}' is not a number; expected {}:KERNEL or {}:KERNEL,LENGTH.", rule, text,
            number, rule, rule);
  }
  choice.on(1);  // throws for a kernel or a length scale that is none
  return choice;
}

int64_t candidate_count(int64_t nodes) { return std::max(fewest_candidates, candidates_per_node * nodes); }

at::Tensor herded_nodes(const KernelChoice& choice, int64_t m) {
  const auto candidates = midpoint_nodes(candidate_count(m), 0);
  return std::get<0>(herd_nodes(choice.on(1), candidates, m).nodes.flatten().sort());
}

int64_t no_degree(int64_t) { return 0; }
int64_t degree_of_symmetry(int64_t) { return 1; }

}  // namespace

Quadrature bayesian(std::string_view parameters) {
  const auto choice = parse_choice("bayesian", parameters);
  return {
      .name = "bayesian",
      .summary = "the expected integral of a Gaussian process with a covariance kernel",
      .points = Quadrature::Points::any,
      .positive = false,
      .degree = degree_of_symmetry,
      .weights = [=](const at::Tensor& points) { return BayesianQuadrature(choice.on(1), points).weights(); },
      .nodes = midpoint_nodes,
      .error = Quadrature::Error::estimate,
      .estimate =
          [=](const at::Tensor& points, const at::Tensor& values) {
            return BayesianQuadrature(choice.on(points.size(1)), points).estimate(values);
          },
      .parameters = "KERNEL,LENGTH",
      .with = bayesian};
}

Quadrature herding(std::string_view parameters) {
  const auto choice = parse_choice("herding", parameters);
  return {.name = "herding",
          .summary = "the mean over points chosen by kernel herding",
          .points = Quadrature::Points::any,
          .positive = true,
          .degree = no_degree,
          .weights = equal_weights,
          .nodes = [=](int64_t m, uint64_t) { return herded_nodes(choice, m); },
          .samples =
              [=](int64_t count, int64_t dimensions, uint64_t seed) {
                const auto candidates = sobol_points(candidate_count(count), dimensions, seed);
                return herd_nodes(choice.on(dimensions), candidates, count).nodes;
              },
          .parameters = "KERNEL,LENGTH",
          .with = herding};
}

}  // namespace inn::rules
