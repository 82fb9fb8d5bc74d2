#pragma once
// Unknowns and curvature of a joint fit of several layers.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "fit_plan.h"
#include "inn/network/network.h"

namespace inn {

/// A change of layers' weights: one matrix for each layer, [g, outputs, features (+ 1 for the bias)], g the
/// groups of a grouped convolution. float64.
using Direction = std::vector<at::Tensor>;

/// The layers of a joint fit, and for each the two factors A⊗G of its curvature: A = E[x xᵀ] of its features,
/// G = Σ over positions of E[g gᵀ], g what comes back to its outputs. Where there are very many
/// features or outputs, their factor is a diagonal.
class LayerCurvatures {
 public:
  LayerCurvatures(const Network& network, const JointFit& joint);

  std::vector<ValueId> inputs() const;
  std::vector<ValueId> outputs() const;
  /// Indices of the state that may change.
  std::vector<size_t> states() const;

  Direction zero() const;
  /// The state with the layers' tensors as leaves of a new graph; these leaves; and the direction of their
  /// gradients (undefined ones are 0).
  std::vector<at::Tensor> with_leaves(std::span<const at::Tensor> state) const;
  std::vector<at::Tensor> leaves_of(std::span<const at::Tensor> state) const;
  Direction direction_of(std::span<const at::Tensor> gradients) const;
  /// The state with the direction as tangent, and the state moved by `factor` times it.
  std::vector<at::Tensor> dual(std::span<const at::Tensor> state, const Direction& direction,
                               uint64_t level) const;
  std::vector<at::Tensor> moved(std::span<const at::Tensor> state, const Direction& direction,
                                double factor) const;

  /// Measures the factors: `forget`, then `add` for each layer and batch, then `finish`. Of each sample some
  /// positions are looked at.
  void forget();
  void add(size_t layer, const at::Tensor& input, const at::Tensor& back, int64_t samples);
  void sum_over_ranks();
  void finish(double damping);

  /// G⁻¹·V·A⁻¹, both damped, and damping·V.
  Direction preconditioned(const Direction& direction) const;
  Direction damped(const Direction& direction) const;

 private:
  struct Layer {
    LinearCall linear;
    /// The bias, or the shift of the norm behind; `bias_scale` times a bias of the layer is a change of it.
    std::optional<size_t> bias = {};
    at::Tensor bias_scale = {};
    at::Tensor inputs = {}, outputs = {};  // sums: [g, F, F] or [g, F]; [g, O, O] or [g, O]
    at::Tensor input_inverse = {}, output_inverse = {};
    double damping = 0;
    int64_t rows = 0, samples = 0;
  };

  at::Tensor matrix_of(const Layer& layer, const at::Tensor& weight, const at::Tensor& bias) const;
  std::pair<at::Tensor, at::Tensor> state_of(const Layer& layer, const at::Tensor& matrix,
                                             const at::TensorOptions& options) const;

  /// The state with `change(tensor, what the direction says of it)` in place of the layers' tensors.
  template <class Change>
  std::vector<at::Tensor> changed(std::span<const at::Tensor> state, const Direction& direction,
                                  const Change& change) const;

  const Network& network_;
  std::vector<Layer> layers_;
};

}  // namespace inn
