#pragma once
// Ridge least squares by normal equations that are accumulated in batches.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace inn {

/// Sums over rows (x, y) that determine Σ ‖y − W·x − b‖² for any W and b. float64.
///
/// g independent problems at once: features x [g, rows, F], targets y [g, rows, O]. Memory is g·(F² + F·O),
/// independent of the number of rows; the division into batches matters only by rounding.
class NormalEquations {
 public:
  /// Adds rows. Throws std::invalid_argument if their sizes differ from previous ones.
  void add(const at::Tensor& x, const at::Tensor& y);
  void add(const NormalEquations& other);
  /// Adds the rows of the other ranks; all ranks must have added rows, or none of the right sizes.
  void sum_over_ranks();

  int64_t rows() const { return rows_; }
  /// Returns Σ ‖y − W·x − b‖², [g]. W: [g, O, F]; b: [g, O], or undefined for none.
  at::Tensor error(const at::Tensor& weight, const at::Tensor& bias) const;
  /// Returns Σ ‖y − ȳ‖², [g], the residual of a bias alone; Σ ‖y‖² without bias.
  at::Tensor variation(bool with_bias) const;

  struct Fit {
    at::Tensor weight, bias;  // [g, O, F]; [g, O], undefined if there is none
  };
  /// Returns the W and b that minimize Σ ‖y − W·x − b‖² + ridge·Σ_j d_j‖W_j − prior_j‖², d the diagonal of
  /// Σ (x − x̄)(x − x̄)ᵀ (of Σ x·xᵀ without bias), so that the scale of a feature does not matter. While the matrix is
  /// numerically singular, `ridge` is multiplied by ten; 0 means the smallest that works. Throws
  /// std::invalid_argument for non-finite numbers.
  Fit solve(const at::Tensor& prior, double ridge, bool with_bias) const;

  /// What `solve` needs for every ridge: W − prior solves (left + ridge·diag)·δ = right = Σ x·yᵀ − left·priorᵀ, which is
  /// small where the prior is nearly right. Refers to the sums, which must outlive it.
  struct System {
    const NormalEquations& sums;
    at::Tensor prior, left, diagonal, right;
    bool with_bias;

    Fit solve(double ridge) const;
  };
  System system(const at::Tensor& prior, bool with_bias) const;

 private:
  at::Tensor xx_, xy_, x_, y_, yy_;  // sums: [g,F,F], [g,F,O], [g,F], [g,O], [g]
  int64_t rows_ = 0;
};

/// A fit with the ridge parameter that is best on validation rows.
struct RidgeChoice {
  double ridge;
  size_t prior;                            // which of them
  NormalEquations::Fit fit;                // on all rows
  double error_before, error_after;        // on all rows, relative to the variation: of the prior, of the fit
  double held_out_before, held_out_after;  // on the validation rows, for a fit to the others
};

/// Fits to `fit` with each of `ridges` and each of `priors` [g, O, F], evaluates on `held_out`, and fits to both with
/// the best. If none is better than the first prior on the validation rows, that is kept and the ridge is infinite.
/// `prior_bias` may be undefined: 0.
RidgeChoice choose_ridge(const NormalEquations& fit, const NormalEquations& held_out,
                         const std::vector<at::Tensor>& priors, const at::Tensor& prior_bias, bool with_bias,
                         const std::vector<double>& ridges);

}  // namespace inn
