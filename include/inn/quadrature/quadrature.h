#pragma once
// Quadrature rules: weights for points on [0,1].

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace inn {

/// An integral and its standard error. Both […] if the function returns [N, …].
struct IntegralEstimate {
  at::Tensor value, error;
};

/// A quadrature rule: ∫_0^1 f ≈ Σ_i weights_i f(points_i).
///
/// The weights of every rule sum to 1, and the weight of a single point is 1.
struct Quadrature {
  std::string name;
  std::string summary;
  /// Which points the rule accepts: any on [0,1], or only its own `quadrature_nodes`.
  enum class Points { any, own_nodes } points = Points::any;
  /// Whether all weights are positive for all points, so that they can be divided by.
  bool positive = true;
  /// The maximum degree of polynomials that m own nodes integrate exactly.
  std::function<int64_t(int64_t m)> degree = {};
  std::function<at::Tensor(const at::Tensor& points)> weights = {};
  std::function<at::Tensor(int64_t m, uint64_t seed)> nodes = {};
  /// Returns points of [0,1)^d, [count, d], with equal weights; null if the rule in d dimensions is a product
  /// of d rules.
  std::function<at::Tensor(int64_t count, int64_t dimensions, uint64_t seed)> samples = {};
  /// Error estimation: from samples with different seeds, or by `estimate` from the points [N, d] and the
  /// values [N, …].
  enum class Error { unknown, replicas, estimate } error = Error::unknown;
  std::function<IntegralEstimate(const at::Tensor& points, const at::Tensor& values)> estimate = {};
  /// The form of the parameters after a colon, such as "KERNEL,LENGTH", and the rule with given parameters;
  /// empty and null if there are none.
  std::string parameters = {};
  Quadrature (*with)(std::string_view text) = nullptr;
};

/// Returns the table: rectangle, trapezoid, simpson, gauss-legendre, clenshaw-curtis, monte-carlo, sobol,
/// halton, bayesian, herding.
///
/// - rectangle: equal weights 1/m for any points; on its own nodes (i + 1/2)/m it is the midpoint rule.
/// - trapezoid: the integral of the piecewise linear interpolation.
/// - simpson: the integral of the parabolas through points 2i, 2i+1, 2i+2, for any spacing. For an even number
///   of points the last interval uses the parabola through the last three points (Cartwright 2017); two points
///   are a trapezoid.
/// - gauss-legendre, clenshaw-curtis: on their own nodes only.
/// - monte-carlo, sobol, halton: equal weights 1/m.
/// - bayesian: BayesianQuadrature with an unknown constant mean; the kernel is matern52 with length scale 1/2,
///   or as in "bayesian:rbf,0.2" (see covariance_kernel.h). With the kernel brownian it is the trapezoid rule.
/// - herding: equal weights 1/m; its own nodes and samples are chosen by `herd_nodes` from evenly spread
///   points, with the same kernels.
///
/// If the outermost points are not 0 and 1, trapezoid and simpson extend the function as a constant.
std::span<const Quadrature> quadratures();

/// Returns the names in the table, in its order.
std::vector<std::string> quadrature_names();

/// Returns the rule for a text: a name in the table, or NAME:PARAMETERS for a rule with parameters (the whole
/// text is then its name). Throws std::invalid_argument with the nearest names for an unknown rule, and for
/// invalid parameters.
Quadrature find_quadrature(std::string_view text);

/// Returns the weights of the rule for `points`: [m] float64 on the CPU, their sum is 1.
///
/// points: [m ≥ 1] float32 or float64, increasing strictly within [0,1]. Differentiable in `points` for
/// trapezoid, simpson and bayesian; the weights of other rules depend only on m. Throws std::invalid_argument
/// for other points, and for points that are not the nodes of a rule with own nodes.
at::Tensor quadrature_weights(const Quadrature& rule, const at::Tensor& points);

/// Returns the rule's own m points: [m] float64, strictly increasing in [0,1].
///
/// Uniform for trapezoid and simpson (1/2 for m = 1), midpoints for rectangle and bayesian, sorted points by
/// `seed` for monte-carlo, sobol and halton, sorted ones for herding. Throws std::invalid_argument unless m
/// ≥ 1.
at::Tensor quadrature_nodes(const Quadrature& rule, int64_t m, uint64_t seed = 0);

}  // namespace inn
