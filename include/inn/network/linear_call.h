#pragma once
// Calls that are linear in a weight: what least squares can fit.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "inn/network/network.h"

namespace inn {

/// A call y = W·x + b on each of its samples and positions, W a tensor of the state that no other call reads.
///
/// Seen as matrices: [g, rows, features] times [g, features, outputs], g the groups of a grouped convolution
/// (else 1), a row for each sample and position, a feature for each input channel of the group and kernel
/// tap.
struct LinearCall {
  enum class Kind { linear, convolution, transposed_convolution };
  Kind kind;
  size_t call;  // index in Network::calls
  ValueId input, output;
  size_t weight;  // index in Network::state
  std::optional<size_t> bias;
  bool input_first = false;  // the weight stands as [in, out, …]

  int64_t output_axis() const { return input_first ? 1 : 0; }
  int64_t input_axis() const { return input_first ? 0 : 1; }
};

/// Returns the call as a linear one; where a weight is read but can't be fit, why not; nothing where the call
/// has no weight of its own (a product of two activations, a sum, a norm).
std::variant<std::monostate, LinearCall, std::string> linear_call(const Network& network, size_t call);

/// The positions of each sample that are looked at: all, or `most` of them drawn by `seed`, the same for
/// every sample.
struct PositionSample {
  int64_t most;
  uint64_t seed;
};

/// Returns the indices of the positions, of `count`, that are looked at; ascending.
at::Tensor chosen_positions(int64_t count, const PositionSample& positions);

/// Returns the features of the call's input x: [g, samples, positions, features]. `samples` is the size of
/// the batch.
at::Tensor features_of(const Network& network, const LinearCall& linear, const at::Tensor& x, int64_t samples,
                       const PositionSample& positions);

/// Returns the same rows of a tensor like the call's output: [g, samples, positions, outputs].
at::Tensor targets_of(const Network& network, const LinearCall& linear, const at::Tensor& y, int64_t samples,
                      const PositionSample& positions);

/// Returns the weight, or a tensor of its form, as matrices, [g, outputs, features], a copy; and a tensor of
/// the weight's form from such matrices.
at::Tensor weight_matrix(const Network& network, const LinearCall& linear);
at::Tensor weight_matrix(const Network& network, const LinearCall& linear, const at::Tensor& weight);
at::Tensor weight_of_matrix(const Network& network, const LinearCall& linear, const at::Tensor& matrix);

}  // namespace inn
