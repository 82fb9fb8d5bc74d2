#pragma once
// Ridge least squares by normal equations that are accumulated in batches.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace inn {

/// Sums over rows (x, y), from which Σ ‖y − W·x − b‖² follows for any W and b. float64.
///
/// g independent problems at once: features x [g, rows, F], targets y [g, rows, O]. Memory is g·(F² + F·O),
/// whatever the count of rows; sums over other batches of the same rows differ only by rounding.
class NormalEquations {
 public:
  /// Adds rows. Throws std::invalid_argument where they do not fit those before.
  void add(const at::Tensor& x, const at::Tensor& y);
  void add(const NormalEquations& other);

  int64_t rows() const { return rows_; }
  /// Returns Σ ‖y − W·x − b‖², [g]. W: [g, O, F]; b: [g, O], or undefined for none.
  at::Tensor error(const at::Tensor& weight, const at::Tensor& bias) const;
  /// Returns Σ ‖y − ȳ‖², [g], what a bias alone leaves; Σ ‖y‖² where there is none.
  at::Tensor variation(bool with_bias) const;

  struct Fit {
    at::Tensor weight, bias;  // [g, O, F]; [g, O], undefined where there is none
  };
  /// Returns the W and b of least Σ ‖y − W·x − b‖² + λ‖W − prior‖², λ = `ridge` times the mean of the
  /// diagonal of Σ (x − x̄)(x − x̄)ᵀ (of Σ x·xᵀ without a bias). Where the matrix is singular to rounding, λ is
  /// raised tenfold until it is not; `ridge` 0 is taken as the least that works. Throws std::invalid_argument
  /// for numbers that are not finite.
  Fit solve(const at::Tensor& prior, double ridge, bool with_bias) const;

 private:
  at::Tensor xx_, xy_, x_, y_, yy_;  // sums: [g,F,F], [g,F,O], [g,F], [g,O], [g]
  int64_t rows_ = 0;
};

/// Which ridge is best on rows that it was not fit to.
struct RidgeChoice {
  double ridge;
  NormalEquations::Fit fit;          // on all rows
  double error_before, error_after;  // on all rows, as fractions of the variation: of the prior, of the fit
  double held_out_before, held_out_after;  // on the rows held out, of a fit to the others
};

/// Fits on `fit` with each of `ridges`, measures on `held_out`, and fits to both with the best. Where none is
/// better than the prior on the rows held out, the prior is kept and the ridge is infinite. `prior_bias` may
/// be undefined: 0.
RidgeChoice choose_ridge(const NormalEquations& fit, const NormalEquations& held_out, const at::Tensor& prior,
                         const at::Tensor& prior_bias, bool with_bias, const std::vector<double>& ridges);

}  // namespace inn
