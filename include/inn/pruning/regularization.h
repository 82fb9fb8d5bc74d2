#pragma once
// Sparsity regularization: loss terms that push whole channels towards zero during training.

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "inn/dimension/groups.h"

namespace inn {

/// A loss term over the channels of groups.
struct Regularizer {
  std::string name;  // "group_lasso"
  std::string doc;
  /// Returns the term, a scalar (0-d) tensor, differentiable in `tensors`, which replace the state of
  /// `source` at its widths. A channel includes all its slices of parameters, in producers and in consumers.
  std::function<at::Tensor(const AnalysedNetwork& source, const std::vector<GroupId>& groups,
                           std::span<const at::Tensor> tensors)>
      penalty;
};

/// Returns the table:
///
/// - group_lasso: Σ_c ‖w_c‖, with w_c all slices of channel c (Yuan and Lin, JRSS B 2006);
/// - group_sparsity: Σ_c γ_c ‖w_c‖², γ_c = 2^(4·(max s − s_c)/(max s − min s)) with s_c = ‖w_c‖², in each
///   group: weaker channels are penalized more (Fang et al., "DepGraph", CVPR 2023). γ is treated as constant
///   by the gradient;
/// - batch_norm: Σ |γ| over the scales of batch norms (Liu et al., ICCV 2017).
const std::vector<Regularizer>& regularizers();
/// Throws std::invalid_argument with the nearest names.
const Regularizer& find_regularizer(const std::string& name);

/// A squared norm with growing coefficients, which grow faster for less important channels.
///
/// Σ_c λ_c/2 ‖w_c‖², where λ starts at 0; its gradient is λ_c·w_c, a weight decay per channel. Wang et al.,
/// "Neural Pruning via Growing Regularization", ICLR 2021, with the coefficients of DepGraph's
/// implementation.
class GrowingPenalty {
 public:
  struct Options {
    double step = 1e-4;  // increment for the channel with the smallest score
    double limit = 1;    // upper bound of the coefficients
  };

  /// Throws std::invalid_argument if an option is negative.
  GrowingPenalty(const AnalysedNetwork& source, const std::vector<GroupId>& groups, Options options);

  /// λ_c += step·(max s − s_c)/(max s − min s) for the scores s of each group; no change if all are equal.
  /// Throws std::invalid_argument for a group that the penalty does not have, or a wrong number of scores.
  void grow(const std::map<GroupId, at::Tensor>& scores);

  /// Returns the term, a scalar (0-d) tensor, differentiable in `tensors`.
  at::Tensor operator()(std::span<const at::Tensor> tensors) const;

  /// λ of each channel: float64 [width] on the CPU.
  const std::map<GroupId, at::Tensor>& coefficients() const { return coefficients_; }
  /// Restores saved coefficients. Throws std::invalid_argument unless their numbers match the penalty's
  /// groups.
  void set_coefficients(const std::map<GroupId, at::Tensor>& coefficients);

 private:
  std::map<GroupId, std::vector<Member>> members_;
  std::map<GroupId, at::Tensor> coefficients_;
  Options options_;
};

}  // namespace inn
