#include "inn/quadrature/quadrature.h"

#include <ATen/ATen.h>

#include "inn/core/error.h"
#include "inn/core/named_table.h"
#include "inn/quadrature/integrate.h"
#include "rules.h"

namespace inn {
namespace {

int64_t degree_0(int64_t) { return 0; }
int64_t degree_1(int64_t) { return 1; }
int64_t degree_simpson(int64_t m) { return m <= 2 ? 1 : m % 2 == 1 ? 3 : 2; }
int64_t degree_gauss_legendre(int64_t m) { return 2 * m - 1; }
// The rule is that of the polynomial through the points; symmetric in an odd count, it gets one degree more.
int64_t degree_clenshaw_curtis(int64_t m) { return m % 2 == 1 ? m : m - 1; }

}  // namespace

std::span<const Quadrature> quadratures() {
  using Points = Quadrature::Points;
  using Error = Quadrature::Error;
  static const std::vector<Quadrature> table = {
      {"rectangle", "equal weights", Points::any, true, degree_1, rules::equal_weights,
       rules::midpoint_nodes},
      {"trapezoid", "piecewise linear interpolation", Points::any, true, degree_1, rules::trapezoid_weights,
       rules::uniform_nodes},
      {"simpson", "piecewise parabolic interpolation", Points::any, false, degree_simpson,
       rules::simpson_weights, rules::uniform_nodes},
      {"gauss-legendre", "the rule of highest degree, on its own nodes", Points::own_nodes, true,
       degree_gauss_legendre, rules::gauss_legendre_weights, rules::gauss_legendre_nodes},
      {"clenshaw-curtis", "the polynomial through the Chebyshev extrema", Points::own_nodes, true,
       degree_clenshaw_curtis, rules::clenshaw_curtis_weights, rules::clenshaw_curtis_nodes},
      {"monte-carlo", "the mean over random points", Points::any, true, degree_0, rules::equal_weights,
       rules::monte_carlo_nodes, rules::random_points, Error::estimate, rules::sample_mean},
      {"sobol", "the mean over randomly shifted Sobol points", Points::any, true, degree_0,
       rules::equal_weights, rules::sobol_nodes,
       static_cast<at::Tensor (*)(int64_t, int64_t, uint64_t)>(sobol_points), Error::replicas},
      {"halton", "the mean over Halton points with randomly permuted digits", Points::any, true, degree_0,
       rules::equal_weights, rules::halton_nodes,
       static_cast<at::Tensor (*)(int64_t, int64_t, uint64_t)>(halton_points), Error::replicas},
      rules::bayesian("matern52"),
      rules::herding("matern52"),
  };
  return table;
}

std::vector<std::string> quadrature_names() { return names_of(quadratures()); }

Quadrature find_quadrature(std::string_view text) {
  const size_t colon = text.find(':');
  const auto name = text.substr(0, colon);
  for (const auto& rule : quadratures()) {
    if (rule.name != name) continue;
    if (colon == text.npos) return rule;
    require(rule.with != nullptr, "quadrature", "Quadrature '{}': '{}' takes no parameters.", text, name);
    auto chosen = rule.with(text.substr(colon + 1));
    chosen.name = text;
    return chosen;
  }
  raise("quadrature", "Quadrature '{}': no such rule.{}", text, nearest_names(name, quadrature_names()));
}

at::Tensor quadrature_weights(const Quadrature& rule, const at::Tensor& points) {
  require(points.defined() && points.dim() == 1 && points.numel() > 0 &&
              (points.scalar_type() == at::kDouble || points.scalar_type() == at::kFloat),
          "quadrature", "Quadrature '{}': the points must be a non-empty float32 or float64 vector.",
          rule.name);
  const double tolerance = rules::same_point(points.scalar_type());
  const auto checked = points.to(at::kCPU, at::kDouble);
  const auto values = checked.detach();
  const double first = values[0].item<double>(), last = values[-1].item<double>();
  require(first >= -tolerance && last <= 1 + tolerance && (values.diff() > 0).all().item<bool>(),
          "quadrature",
          "Quadrature '{}': the points must increase strictly within [0, 1]; they go from {} to {}.",
          rule.name, first, last);
  if (rule.points == Quadrature::Points::own_nodes) {
    const auto nodes = rule.nodes(values.size(0), 0);
    const double worst = (values - nodes).abs().max().item<double>();
    require(worst <= tolerance, "quadrature",
            "Quadrature '{}': requires its own {} nodes, but a point is {} away from its node.", rule.name,
            values.size(0), worst);
  }
  return rule.weights(checked);
}

at::Tensor quadrature_nodes(const Quadrature& rule, int64_t m, uint64_t seed) {
  require(m >= 1, "quadrature", "Quadrature '{}': the count of nodes must be at least 1 but got {}.",
          rule.name, m);
  return rule.nodes(m, seed);
}

}  // namespace inn
