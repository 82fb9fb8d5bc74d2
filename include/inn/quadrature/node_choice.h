#pragma once
// Greedy selection of nodes from candidates.

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "inn/quadrature/bayesian.h"
#include "inn/quadrature/covariance_kernel.h"

namespace inn {

struct ChosenNodes {
  /// Their indices among the candidates in the order of selection, [count] int64, distinct.
  at::Tensor indices;
  /// The nodes themselves, [count, d] float64.
  at::Tensor nodes;
  /// E(∫f − the rule on the first t + 1 nodes)² for functions f of the kernel at unit scale: [count],
  /// float64.
  at::Tensor variances;
};

/// Returns nodes for Bayesian quadrature: each is the candidate that leaves the smallest posterior variance.
///
/// With the residuals, given the nodes so far, of the kernel mean r and of the kernel's diagonal s, the
/// variance falls by r_j²/s_j (and for an unknown constant mean as the formula of BayesianQuadrature says):
/// one pass over the candidates per node with an updated Cholesky factor; O(candidates · count) memory and
/// O(candidates · count²) time. The variances never rise and are those of BayesianQuadrature on the same
/// nodes. candidates: [c, d], or [c] where d is 1, float32 or float64 in [0,1]^d. No gradients. Throws
/// std::invalid_argument for other candidates, unless 1 ≤ count ≤ c, and if the kernel distinguishes fewer
/// than `count` candidates.
ChosenNodes choose_bayesian_nodes(const ProductKernel& kernel, const at::Tensor& candidates, int64_t count,
                                  BayesianOptions options = {});

/// Returns nodes for equal weights by kernel herding: each is the candidate that leaves the smallest worst
/// error 1/t Σ f(x_i) − ∫f over functions of norm 1.
///
/// For kernels with one value k(x, x) everywhere that is argmax_j z_j − Σ_i k(x_i, x_j)/(t + 1). No candidate
/// is selected twice. The variances are those of the mean over the nodes, the squares of the worst errors.
/// Arguments, cost and errors as in `choose_bayesian_nodes`, but O(candidates) memory. Chen, Welling, Smola,
/// "Super-samples from kernel herding", UAI 2010.
ChosenNodes herd_nodes(const ProductKernel& kernel, const at::Tensor& candidates, int64_t count);

}  // namespace inn
