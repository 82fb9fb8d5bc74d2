#pragma once
// Quadrature rules: weights for points on [0,1].

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace inn {

/// An entry of the table of quadrature rules: ∫_0^1 f ≈ Σ_i weights_i f(points_i).
///
/// The weights of every rule sum to 1, and the weight of a single point is 1.
struct Quadrature {
  std::string name;
  std::string summary;
  /// Which points the rule takes: any on [0,1], or only those that `quadrature_nodes` gives.
  enum class Points { any, own_nodes } points = Points::any;
  /// Whether all weights are above 0 for all points: they can then be divided by.
  bool positive = true;
  /// The greatest degree of the polynomials that m own nodes integrate exactly.
  int64_t (*degree)(int64_t m) = nullptr;
  at::Tensor (*weights)(const at::Tensor& points) = nullptr;
  at::Tensor (*nodes)(int64_t m, uint64_t seed) = nullptr;
  /// Returns points of [0,1)^d, [count, d], each of equal weight; null where the rule in d dimensions is a
  /// product of d rules.
  at::Tensor (*samples)(int64_t count, int64_t dimensions, uint64_t seed) = nullptr;
};

/// Returns the table: rectangle, trapezoid, simpson, gauss-legendre, clenshaw-curtis, monte-carlo, sobol.
///
/// - rectangle: equal weights 1/m, wherever the points are; a point stands for a rectangle of width 1/m. On
/// its own nodes
///   (i + 1/2)/m it is the midpoint rule.
/// - trapezoid: the integral of the straight lines between the points.
/// - simpson: the integral of the parabolas through points 2i, 2i+1, 2i+2, for any spacing; on even counts
/// the last
///   interval is that of the parabola through the last three points (Cartwright 2017), two points are a
///   trapezoid.
/// - gauss-legendre, clenshaw-curtis: those rules, on their own nodes only.
/// - monte-carlo, sobol: equal weights 1/m.
/// Where the outermost points are not 0 and 1, trapezoid and simpson hold the function constant beyond them.
std::span<const Quadrature> quadratures();

/// Returns the names in the table, in its order.
std::vector<std::string> quadrature_names();

/// Returns the rule of that name. Throws std::invalid_argument with the nearest names where there is none.
const Quadrature& find_quadrature(std::string_view name);

/// Returns the weights of the rule for `points`: [m] float64 on the CPU, their sum is 1.
///
/// points: [m ≥ 1] float32 or float64, increasing strictly within [0,1]. Differentiable in `points` for
/// trapezoid and simpson; the other rules' weights depend on m alone. Throws std::invalid_argument for other
/// points, and for points that are not the nodes of a rule with own nodes.
at::Tensor quadrature_weights(const Quadrature& rule, const at::Tensor& points);

/// Returns the m points that are best for the rule: [m] float64, increasing strictly within [0,1].
///
/// Uniform for trapezoid and simpson (1/2 for m = 1), midpoints for rectangle, sorted random or Sobol points
/// by `seed` for monte-carlo and sobol. Throws std::invalid_argument unless m ≥ 1.
at::Tensor quadrature_nodes(const Quadrature& rule, int64_t m, uint64_t seed = 0);

}  // namespace inn
