#pragma once
// Loss terms that push whole channels towards zero while a network trains, so that cutting them costs less.

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
  /// Returns the term, a tensor of no axis, differentiable in `tensors`, which stand for the state of
  /// `source` at its widths. Of a channel all slices of parameters count, in producers and in readers.
  std::function<at::Tensor(const AnalysedNetwork& source, const std::vector<GroupId>& groups,
                           std::span<const at::Tensor> tensors)>
      penalty;
};

/// group_lasso: Σ_c ‖w_c‖, w_c being all slices of channel c (Yuan and Lin, JRSS B 2006).
/// group_sparsity: Σ_c γ_c ‖w_c‖², γ_c = 2^(4·(max s − s_c)/(max s − min s)) with s_c = ‖w_c‖², in each
/// group: the weaker a channel, the stronger it is pushed (Fang et al., "DepGraph", CVPR 2023). γ is
/// constant to the gradient. batch_norm: Σ |γ| over the scales of batch norms (Liu et al., ICCV 2017).
const std::vector<Regularizer>& regularizers();
/// Throws std::invalid_argument with the nearest names.
const Regularizer& find_regularizer(const std::string& name);

/// A squared norm whose coefficients grow, the faster the less a channel matters.
///
/// Σ_c λ_c/2 ‖w_c‖², where λ begins at 0; its gradient is λ_c·w_c, a weight decay of each channel's own.
/// Wang et al., "Neural Pruning via Growing Regularization", ICLR 2021, with the coefficients of DepGraph's
/// implementation.
class GrowingPenalty {
 public:
  struct Options {
    double step = 1e-4;  // what the least channel's coefficient grows by
    double limit = 1;    // coefficients do not grow beyond it
  };

  /// Throws std::invalid_argument where an option is below 0.
  GrowingPenalty(const AnalysedNetwork& source, const std::vector<GroupId>& groups, Options options);

  /// λ_c += step·(max s − s_c)/(max s − min s) for the scores s of each group; where all are equal, nothing.
  /// Throws std::invalid_argument for a group that is none of the penalty's, or another count of scores.
  void grow(const std::map<GroupId, at::Tensor>& scores);

  /// Returns the term, a tensor of no axis, differentiable in `tensors`.
  at::Tensor operator()(std::span<const at::Tensor> tensors) const;

  /// λ of each channel: float64 [width] on the CPU.
  const std::map<GroupId, at::Tensor>& coefficients() const { return coefficients_; }
  /// Takes coefficients that were kept. Throws std::invalid_argument unless there are as many of each of the
  /// penalty's groups.
  void set_coefficients(const std::map<GroupId, at::Tensor>& coefficients);

 private:
  std::map<GroupId, std::vector<Member>> members_;
  std::map<GroupId, at::Tensor> coefficients_;
  Options options_;
};

}  // namespace inn
